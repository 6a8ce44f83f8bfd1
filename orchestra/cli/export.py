"""`orchestra export`: trained adapters as models for other engines, runs as tables for other tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from orchestra.cli import decisions
from orchestra.cli.output import Json, result
from orchestra.cli.policies import check_base
from orchestra.errors import BadInput, UnknownName
from orchestra.evaluation import inspect_log
from orchestra.models import names

Dtype = Literal["float32", "bfloat16"]

RECORDS: Final[Mapping[str, Callable[[Path, Path], list[Path]]]] = {
    "jsonl": decisions.write_jsonl,
    "parquet": decisions.write_parquet,
    "inspect": inspect_log.write,
}
"""Formats of runs: a function from a run folder and a folder to write to, which returns the files it wrote."""
WEIGHTS: Final[Mapping[str, Dtype]] = {"safetensors": "float32", "gguf": "bfloat16"}
"""Formats of models, and the numbers that each has where --dtype is not given."""
MANIFEST, PEFT = "manifest.json", "adapter_config.json"
"""What tells a folder of policies, and the folder of one adapter."""


def export(
    source: Annotated[Path, typer.Argument(help="Trained adapters, the folder of one of them, or a run folder.")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where to write; nothing there is overwritten.")],
    form: Annotated[
        str,
        typer.Option("--format", help=f"Of adapters {' or '.join(WEIGHTS)}, of a run {' or '.join(RECORDS)}."),
    ] = "safetensors",
    model: Annotated[str, typer.Option(help="The base of the adapters: smollm2, tiny or hf:...")] = "smollm2",
    policy: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this policy; may be repeated.")] = None,
    dtype: Annotated[
        Dtype | None, typer.Option(help="Numbers of a model: float32 (usual for safetensors) or bfloat16 (for gguf).")
    ] = None,
    json: Json = False,
) -> None:
    """Merge each adapter into its base and write the model; or write a run as a table, an eval as logs of Inspect."""
    if form not in WEIGHTS and form not in RECORDS:
        raise UnknownName("format", form, [*WEIGHTS, *RECORDS])
    if form in RECORDS:
        files = RECORDS[form](source, output)
    else:
        files = _models(source, output, form, model, policy or (), dtype or WEIGHTS[form])
    listed = [{"file": str(file), "bytes": file.stat().st_size} for file in files]
    text = "\n".join(f"{each['file']} ({each['bytes']:,} bytes)" for each in listed)
    result({"format": form, "files": listed}, text, json)


def _models(source: Path, output: Path, form: str, model: str, only: Sequence[str], dtype: Dtype) -> list[Path]:
    """One model a policy: DIR/NAME/ or DIR/NAME.gguf."""
    base = names.folder(model)
    # Imported here: torch and gguf load only where weights are wanted.
    from orchestra.models import export_folder, export_gguf  # noqa: PLC0415

    files: list[Path] = []
    for name, adapter in _adapters(source, model, only).items():
        if form == "gguf":
            files += export_gguf.write(base, adapter, output / f"{name}.gguf", dtype=dtype)
        else:
            files += export_folder.write(base, adapter, output / name, dtype=dtype)
    return files


def _adapters(source: Path, model: str, only: Sequence[str]) -> dict[str, Path]:
    """Policy -> its PEFT folder; one that a manifest tells of was trained on `model`, or BadInput is raised."""
    from orchestra.learning import bind  # noqa: PLC0415  (needs the extra `local`)

    if (source / PEFT).exists():
        found = {source.name.partition("@")[0]: source}
        told = bind(source.parent) if (source.parent / MANIFEST).exists() else {}
    elif (source / MANIFEST).exists():
        told = bind(source)
        found = {name: bound.folder for name, bound in told.items()}
    else:
        raise BadInput(
            f"expected trained adapters ({MANIFEST} or {PEFT}), got {str(source)!r}, which has neither; "
            f"fix: the --output of a training, or --format {'|'.join(RECORDS)} for a run folder"
        )
    for name in only:
        if name not in found:
            raise UnknownName(f"policy in {source}", name, found)
    chosen = {name: folder for name, folder in found.items() if name in only or not only}
    for name in chosen.keys() & told.keys():
        check_base(name, told[name], model)
    return chosen


def register(app: typer.Typer) -> None:
    app.command()(export)
