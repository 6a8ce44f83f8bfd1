"""`orchestra train`: starts a recipe as `accelerate launch` does, in a process of its own.

What stands after RECIPE is the recipe's; its exit code is ours. `--config` says where as one of the files beside the
recipes does (cpu, cpu2, multi_gpu, zero1, ...) or a file of one's own; several machines: `accelerate launch` itself.
"""

from __future__ import annotations

import json as jsons
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestra.cli import shelf
from orchestra.cli.output import Json, result
from orchestra.errors import BadInput, RunFailed, UnknownName, missing_extra
from orchestra.training._launch import LAUNCH, threads

CONFIGS = {file.stem: file for file in (shelf.PACKAGE / "training" / "configs").glob("*.yaml")}


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe of the shelf (orchestra ls recipes), or FILE.py.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Its own arguments: orchestra train RECIPE --help.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes on this machine.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Train on the CPU, even where there is a GPU.")] = False,
    config: Annotated[
        str | None, typer.Option(help=f"{', '.join(sorted(CONFIGS))}, or a file of `accelerate config`.")
    ] = None,
    json: Json = False,
) -> None:
    """Train the policies of a team by a recipe."""
    file, words = shelf.recipe(recipe), list(arguments or ())
    as_json = json or "--json" in words
    if as_json and "--json" not in words:
        words.append("--json")
    if find_spec("accelerate") is None:
        raise missing_extra("train", "accelerate")
    command = [sys.executable, "-c", LAUNCH, *_where(config, processes, cpu=cpu), str(file), *words]
    code, said = _launched(command, captured=as_json)
    if code != 0:
        raise typer.Exit(code if 0 < code <= 130 else 1)  # the recipe has told why
    if as_json:
        result(_object(said, recipe), "", as_json=True)


def _where(config: str | None, processes: int | None, *, cpu: bool) -> list[str]:
    """What `accelerate launch` is told; all that it would else warn of is said. Raises BadInput, UnknownName."""
    if config is None and cpu and (processes or 1) > 1:
        config, cpu = "cpu2", False  # accelerate 1.15 starts one process for --cpu, however many are asked for
    if config is None:
        where = ["--num_processes", str(processes or 1), "--num_machines", "1", "--mixed_precision", "no"]
        kind = ["--cpu"] if cpu else ["--multi_gpu"] if (processes or 1) > 1 else []
        cores = ["--num_cpu_threads_per_process", str(threads(processes or 1))]
        return [*kind, *where, *cores, "--dynamo_backend", "no"]
    if cpu:
        raise BadInput("--config and --cpu exclude each other; fix: --config cpu, or drop one of them")
    file = CONFIGS.get(config) or Path(config)
    if not file.is_file():
        raise UnknownName("configuration", config, CONFIGS)
    return ["--config_file", str(file), *(["--num_processes", str(processes)] if processes else [])]


def _launched(command: list[str], *, captured: bool) -> tuple[int, str]:
    """Exit code, and stdout if captured. A Ctrl-C reaches the recipe too, and it is waited for."""
    with subprocess.Popen(command, stdout=subprocess.PIPE if captured else None, text=True) as child:  # noqa: S603 (no shell)
        try:
            said = child.communicate()[0] or ""
        except KeyboardInterrupt:
            child.wait()
            raise
    return child.returncode, said


def _object(said: str, recipe: str) -> dict[str, Any]:
    """The one JSON object that a recipe prints, on its last line."""
    try:
        value = jsons.loads(said.strip().rpartition("\n")[2])
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RunFailed(f"recipe {recipe!r} ended well but printed no JSON object; got {said[-80:]!r}")
    return value


def register(app: typer.Typer) -> None:
    app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})(train)
