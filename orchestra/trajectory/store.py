"""A run folder: what was asked (run.json), every effect, every trajectory once, and the annotations beside them.

run.json                    the spec the run was started with; never rewritten
journal-WRITER.sqlite       effects and trajectories, one file a writing process; read as their union
shards/                     sealed trajectories
annotations/PRODUCER.json   rewards, values and advantages by trajectory and Key
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from orchestra.atomic import make_folder, read_record, write_record
from orchestra.digest import canonical
from orchestra.errors import BadInput, Damaged, UnknownName
from orchestra.faults import point
from orchestra.trajectory.codec import load, plain
from orchestra.trajectory.journal import Journal
from orchestra.trajectory.reader import Reader, journals, union
from orchestra.trajectory.recorded import Recorded
from orchestra.trajectory.shards import Shards
from orchestra.trajectory.sqlite import Durability, SqliteLog
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Key

FOLDER = 1
"""Version of run.json and of the annotation files."""


class AnnotationRow(NamedTuple):
    """What one rule says of one decision; None is not scored. `credit.Annotation` has the same fields."""

    value: float | None
    stderr: float | None = None
    advantage: float | None = None
    group: str = ""


class AnnotationTable(Protocol):
    """The annotations of one trajectory, as `credit.Table` has them."""

    @property
    def producer(self) -> str: ...
    @property
    def config(self) -> str: ...
    @property
    def rows(self) -> Mapping[Key, tuple[float | None, float | None, float | None, str]]: ...


class Run:
    """An open run folder. Reading takes no lock; the first `journal` or `add` makes this process a writer."""

    def __init__(self, path: Path, spec: Mapping[str, Any], writer: str, durability: Durability) -> None:
        self.path = path
        self.spec = spec
        self._file = path / f"journal-{_filename('writer', writer)}.sqlite"
        self._durability = durability
        self._opened: SqliteLog | None = None
        self._readers: dict[Path, Reader] = {}
        self._shards = Shards(path)

    def journal(self, name: str) -> Journal:
        """The journal of one trajectory (or system), with what any writer of this folder has recorded of it.

        Raises Unavailable, naming the owner, if another process writes under this writer's name.
        """
        own = self._log()
        return own.journal(name, [reader for reader in self._sources() if reader is not own.reader])

    def recorded(self, name: str) -> Journal:
        """What any writer of this folder has recorded of one trajectory, to be read alone; takes no lock."""
        return Recorded(self._sources(), name)

    def add(self, trajectory: Trajectory) -> None:
        """Queues a finished trajectory; of two with one id the first stands. Can be read back after `flushed`."""
        self._log().add(trajectory)

    async def flushed(self) -> None:
        """Returns once everything put and added by this process is on disk."""
        if self._opened is not None:
            await self._opened.flushed()

    def get(self, name: str) -> Trajectory | None:
        """The trajectory with this id; None if it is not on disk."""
        texts = (source.trajectory(name) for source in self._everywhere())
        found = next((text for text in texts if text is not None), None)
        return None if found is None else load(found, Trajectory)

    def trajectories(self) -> Iterator[Trajectory]:
        """Every trajectory on disk, once, in order of id, whoever wrote it and whether or not it is sealed."""
        for _, text in union(source.trajectories() for source in self._everywhere()):
            yield load(text, Trajectory)

    def annotate(self, producer: str, tables: Mapping[str, AnnotationTable]) -> None:
        """Saves the tables of one producer by trajectory id, in place of those it saved before.

        Raises BadInput if the tables are of another producer or of several configurations, BadData on NaN.
        """
        if strangers := {table.producer for table in tables.values()} - {producer}:
            raise BadInput(
                f"expected tables of producer {producer!r}, got {min(strangers)!r}; fix: annotate each apart"
            )
        configs = sorted({table.config for table in tables.values()})
        if len(configs) > 1:
            raise BadInput(f"expected one configuration of {producer!r}, got {configs!r}; fix: annotate each apart")
        rows = {
            name: [[*key, *row] for key, row in sorted(table.rows.items())] for name, table in sorted(tables.items())
        }
        path = self._annotations(producer)
        make_folder(path.parent)
        point("store.annotating")
        write_record(path, plain({"config": "".join(configs), "producer": producer, "tables": rows}), version=FOLDER)

    def annotations(self, producer: str, config: str | None = None) -> Mapping[str, Mapping[Key, AnnotationRow]]:
        """Trajectory id -> Key -> annotation. Raises UnknownName; BadInput if `config` is given and is another."""
        path = self._annotations(producer)
        if not path.exists():
            raise UnknownName("annotation producer", producer, (p.stem for p in path.parent.glob("*.json")))
        body = read_record(path, version=FOLDER)
        try:
            found, tables = body["config"], body["tables"]
            rows = {
                name: {Key(state, draw): AnnotationRow(*row) for state, draw, *row in rows}
                for name, rows in tables.items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Damaged(f"{path} holds no annotations: {error!r:.200}; fix: annotate the run again") from error
        if config is not None and config != found:
            raise BadInput(f"{path} was made with {found!r}, not with {config!r}; fix: annotate the run again")
        return rows

    def close(self) -> None:
        """Writes what is queued and lets go of every file. Raises if something queued could not be written."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _log(self) -> SqliteLog:
        if self._opened is None:
            self._opened = SqliteLog(self._file, self._durability)
        return self._opened

    def _everywhere(self) -> list[Reader | Shards]:
        return [self._shards, *self._sources()]

    def _sources(self) -> list[Reader]:
        sources = []
        for path in journals(self.path):
            if self._opened is not None and path == self._file:
                sources.append(self._opened.reader)
                continue
            if path not in self._readers:
                self._readers[path] = Reader(path)
            sources.append(self._readers[path])
        return sources

    def _annotations(self, producer: str) -> Path:
        return self.path / "annotations" / f"{_filename('producer', producer)}.json"


def open_run(
    path: Path,
    *,
    create: bool = False,
    spec: Mapping[str, Any] | None = None,
    writer: str = "main",
    durability: Durability = "full",
) -> Run:
    """Opens a run folder, or makes one if `create`. Processes that write side by side (ranks) take a `writer` each.

    `spec` is plain JSON: command, seed, team digest, versions. Raises BadInput, showing the fields, if the folder was
    started with another one, and if there is no run and `create` is off.
    """
    record = path / "run.json"
    if not record.exists():
        if not create:
            raise BadInput(f"{path} is no run folder: it has no run.json; fix: give the --run-dir of an earlier run")
        make_folder(path)
        point("store.folder_made")
        write_record(record, plain(spec or {}), version=FOLDER)
    saved = read_record(record, version=FOLDER)
    if spec is not None and (changes := _changes(saved, plain(spec))):
        raise BadInput(f"{path} was started with another spec: {changes}; fix: the same, or another --run-dir")
    return Run(path, saved, writer, durability)


def _changes(saved: Any, given: Any) -> str:
    before, after = _flat(saved), _flat(given)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return ", ".join(f"{name} was {before.get(name, 'absent')}, is {after.get(name, 'absent')}" for name in names)


def _flat(value: Any, place: str = "") -> dict[str, str]:
    """Dotted place -> canonical JSON of every leaf."""
    if isinstance(value, Mapping) and value:
        inner = (_flat(item, f"{place}.{name}" if place else name) for name, item in value.items())
        return {name: text for part in inner for name, text in part.items()}
    return {place or "spec": canonical(value)}


def _filename(what: str, name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name):
        raise BadInput(
            f"a {what} names a file: expected letters, digits, '.', '_' and '-', got {name!r}; fix: rename it"
        )
    return name
