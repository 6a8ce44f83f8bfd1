"""The decisions of a run as flat rows, one a model call or scored choice, for data frames and other people's tools.

{"trajectory": "4f..", "task": "arith/add2/test/34+57", "agent": "generator", "round": 0, "text": "91", ...}

Every row has every column; what is not known is null. Rows are in the order of trajectories and, in each, canonical.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestra.atomic import make_folder, replacing
from orchestra.errors import BadInput, missing_extra
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Usage


def write_jsonl(run: Path, folder: Path) -> list[Path]:
    """decisions.jsonl, one JSON object a line; returns its path."""
    file = _fresh(folder / "decisions.jsonl")
    with replacing(file) as part, part.open("w", encoding="utf-8") as lines:
        for row in rows(run):
            lines.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
    return [file]


def write_parquet(run: Path, folder: Path) -> list[Path]:
    """decisions.parquet, its columns of the same types for every run; returns its path. Needs the extra `data`."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  (of the extra `data`)
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("data", str(error.name)) from None
    text, whole, real = pa.string(), pa.int64(), pa.float64()
    turn = pa.struct([("role", text), ("content", text)])
    types = {
        **dict.fromkeys(("seed", "round", "index", "draw", "tokens_in", "tokens_out", "max_tokens"), whole),
        **dict.fromkeys(("temperature", "cost", "seconds"), real),
        **dict.fromkeys(("prompt_ids", "output_ids", "mask"), pa.list_(whole)),
        **dict.fromkeys(("logprobs", "scores"), pa.list_(real)),
        "messages": pa.list_(turn),
        "options": pa.list_(text),
    }
    found = list(rows(run))
    schema = pa.schema([(name, types.get(name, text)) for name in found[0]])
    file = _fresh(folder / "decisions.parquet")
    with replacing(file) as part:
        pq.write_table(pa.Table.from_pylist(found, schema=schema), part)
    return [file]


def rows(run: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run folder. Raises BadInput where it is none or holds no decision."""
    empty = True
    with open_run(run) as opened:
        for trajectory in opened.trajectories():
            for decision in trajectory.decisions:
                empty = False
                yield _row(trajectory, decision)
    if empty:
        raise BadInput(f"expected a run with decisions, got none in {run}; fix: let it finish (--resume)")


def _row(trajectory: Trajectory, decision: Decision) -> dict[str, Any]:
    request, made = decision.request, decision.completion
    usage = made.usage if made is not None else Usage()
    return {
        "trajectory": trajectory.id,
        "task": trajectory.task.id,
        "team": trajectory.team,
        "seed": trajectory.seed,
        "path": decision.path,
        "agent": decision.agent,
        "role": decision.role,
        "policy": decision.policy,
        "weights": decision.weights,
        "round": decision.round,
        "index": decision.index,
        "state": decision.key.state,
        "draw": decision.key.draw,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        "options": list(request.options),
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "text": made.text if made is not None else None,
        "finish": made.finish if made is not None else None,
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "cost": usage.cost,
        "seconds": usage.seconds,
        **{name: _listed(made and getattr(made, name)) for name in ("prompt_ids", "output_ids", "mask", "logprobs")},
        "scores": _listed(made and made.scores),
        "error": decision.error,
    }


def _listed(values: Any) -> list[Any] | None:
    return None if values is None else list(values)


def _fresh(file: Path) -> Path:
    if file.exists():
        raise BadInput(f"expected a file that does not exist yet, got {file}; fix: another --output")
    make_folder(file.parent)
    return file
