"""Sealed trajectories: immutable Arrow IPC streams, listed with their SHA-256 in a checksummed manifest.

Two kinds, cut together: `trajectories-N.arrow` has one row a trajectory, its saved text included, in order of id;
`decisions-N.arrow` has one row a decision with the exact tokens. `datasets.Dataset.from_file` memory-maps both. A file
that the manifest does not list is what a killed `seal` left behind; it is ignored and overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from hashlib import file_digest
from pathlib import Path
from typing import Any

from orchestra.atomic import make_folder, read_record, replacing, write_record
from orchestra.digest import canonical
from orchestra.errors import Damaged, Unavailable, missing_extra
from orchestra.faults import point
from orchestra.trajectory.codec import load, plain
from orchestra.trajectory.lock import Lock
from orchestra.trajectory.reader import Reader, journals, union
from orchestra.trajectory.trajectory import SCHEMA, Decision, Trajectory

MANIFEST = 1
"""Version of MANIFEST.json and of the columns."""
SHARD_BYTES = 32 << 20
"""Saved text after which a new shard is begun."""

_TRAJECTORY_COLUMNS = {
    "id": "string", "task_id": "string", "family": "string", "split": "string", "prompt": "string", "gold": "string",
    "team": "string", "leaves": "int32", "decisions": "int32", "answers": "list<string>", "json": "large_string",
}  # fmt: skip
_DECISION_COLUMNS = {
    "trajectory": "string", "state": "string", "draw": "int64", "agent": "string", "role": "string", "path": "string",
    "round": "int32", "index": "int32", "policy": "string", "weights": "string", "prompt_ids": "list<int32>",
    "output_ids": "list<int32>", "mask": "list<int8>", "logprobs": "list<double>", "text": "string", "finish": "string",
    "truncated": "bool", "error": "string",
}  # fmt: skip


class Shards:
    """The sealed trajectories of a run folder. Each file is verified when first used.

    Raises Damaged, naming the file, where one is missing or altered; Unavailable where pyarrow is not installed.
    """

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder / "shards"
        self._tables: dict[str, Any] = {}

    def trajectories(self) -> Iterator[tuple[str, str]]:
        """(id, saved text) in order of id."""
        return union(map(_rows, self._sealed()))

    def trajectory(self, name: str) -> str | None:
        """The saved text of one trajectory by its id; None if it is not sealed."""
        for table in self._sealed():
            at = table["id"].index(name).as_py()
            if at >= 0:
                return str(table["json"][at].as_py())
        return None

    def ids(self) -> set[str]:
        return {name for table in self._sealed() for name in table["id"].to_pylist()}

    def _sealed(self) -> list[Any]:
        names = {entry["file"]: entry for entry in _manifest(self._folder) if entry["kind"] == "trajectories"}
        for name, entry in names.items():
            if name not in self._tables:
                self._tables[name] = _open(self._folder / name, entry)
        return [self._tables[name] for name in names]


def seal(run_folder: Path) -> list[Path]:
    """Copies the trajectories that are in the journals and not yet in shards into new shards; returns their paths.

    Safe to kill at any moment and to run beside a writer; a second seal of the folder at the same time is refused. The
    journals stay as they are, since a run is resumed and forked from them. Nothing new: no shard.
    """
    folder = run_folder / "shards"
    make_folder(folder)
    written = []
    point("shards.begun")
    with ExitStack() as stack:
        stack.enter_context(Lock(folder / "MANIFEST.json"))
        readers = [Reader(path) for path in journals(run_folder)]
        for reader in readers:
            stack.callback(reader.close)
        sealed, entries = Shards(run_folder).ids(), _manifest(folder)
        fresh = ((name, text) for name, text in union(r.trajectories() for r in readers) if name not in sealed)
        for number, group in enumerate(_groups(fresh), start=len(entries) // 2):
            for kind, columns, rows in _tables_of(group):
                path = folder / f"{kind}-{number:05}.arrow"
                entries.append(_write(path, kind, columns, rows))
                written.append(path)
                point("shards.written")
        if written:
            write_record(folder / "MANIFEST.json", entries, version=MANIFEST)
            point("shards.sealed")
    return written


def _groups(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[Trajectory, str]]]:
    group, size = [], 0
    for _, text in pairs:
        group.append((load(text, Trajectory), text))
        size += len(text)
        if size >= SHARD_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _tables_of(group: list[tuple[Trajectory, str]]) -> Iterator[tuple[str, dict[str, str], list[dict[str, Any]]]]:
    yield "trajectories", _TRAJECTORY_COLUMNS, [_trajectory_row(trajectory, text) for trajectory, text in group]
    yield "decisions", _DECISION_COLUMNS, [_decision_row(t.id, decision) for t, _ in group for decision in t.decisions]


def _trajectory_row(trajectory: Trajectory, text: str) -> dict[str, Any]:
    task = trajectory.task
    return {
        "id": trajectory.id, "task_id": task.id, "family": task.family, "split": task.split, "prompt": task.prompt,
        "gold": canonical(plain(task.gold)), "team": trajectory.team, "leaves": len(trajectory.leaves),
        "decisions": len(trajectory.decisions), "answers": [leaf.answer for leaf in trajectory.leaves], "json": text,
    }  # fmt: skip


def _decision_row(trajectory: str, decision: Decision) -> dict[str, Any]:
    names = ("agent", "role", "path", "round", "index", "policy", "weights", "error")
    of_completion = ("prompt_ids", "output_ids", "mask", "logprobs", "text", "finish", "truncated")
    return {
        "trajectory": trajectory, "state": decision.key.state, "draw": decision.key.draw,
        **{name: getattr(decision, name) for name in names},
        **{name: getattr(decision.completion, name, None) for name in of_completion},
    }  # fmt: skip


def _write(path: Path, kind: str, columns: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    pa = _arrow()
    schema = pa.schema([(name, _type(pa, spelled)) for name, spelled in columns.items()])
    with replacing(path) as part:
        with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
            stream.write_table(pa.Table.from_pylist(rows, schema=schema), max_chunksize=256)
        checksum, size = _sha256(part), part.stat().st_size
    return {"file": path.name, "kind": kind, "rows": len(rows), "bytes": size, "sha256": checksum, "schema": SCHEMA}


def _open(path: Path, entry: dict[str, Any]) -> Any:
    pa = _arrow()
    try:
        if path.exists() and _sha256(path) == entry["sha256"]:
            return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    except OSError as error:
        raise Unavailable(
            f"cannot read {path}: {error.strerror or error}; fix: see to the folder and to open files"
        ) from error
    raise Damaged(
        f"{path} is missing or does not match MANIFEST.json; fix: restore it, or delete shards/ and seal again"
    )


def _rows(table: Any) -> Iterator[tuple[str, str]]:
    for batch in table.select(["id", "json"]).to_batches():
        yield from zip(batch["id"].to_pylist(), batch["json"].to_pylist(), strict=True)


def _manifest(folder: Path) -> list[dict[str, Any]]:
    path = folder / "MANIFEST.json"
    return list(read_record(path, version=MANIFEST)) if path.exists() else []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _type(pa: Any, spelled: str) -> Any:
    inner = spelled.removeprefix("list<").removesuffix(">")
    return pa.type_for_alias(inner) if inner == spelled else pa.list_(pa.type_for_alias(inner))


def _arrow() -> Any:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # heavy, and an extra
    except ImportError as error:
        raise missing_extra("data", "pyarrow") from error
    return pa
