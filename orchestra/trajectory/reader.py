"""One journal file, read: every row is compared with its checksum before anything is made of it.

A journal is a SQLite file in WAL mode with two tables, effects and trajectories. It may be read while its owner writes,
and after its owner was killed. Readers never write: SQLite before 3.51.3 can lose commits when a second connection
does.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from orchestra.digest import digest
from orchestra.errors import BadData, Damaged, RunFailed, Unavailable
from orchestra.trajectory.codec import load, load_outcome
from orchestra.trajectory.journal import Entry
from orchestra.types import Key

FORMAT = 1
"""Version of the tables, kept in PRAGMA user_version."""
APPLICATION = 0x4F524348
""""ORCH", kept in PRAGMA application_id: tells a journal from other people's SQLite files."""


class Form(Mapping[str, Any]):
    """The JSON object of an effect, decoded when first looked into: of a whole resumed run nothing but drift does."""

    __slots__ = ("_object", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._object: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def __repr__(self) -> str:
        return repr(self._decoded())

    def _decoded(self) -> dict[str, Any]:
        if self._object is None:
            self._object = load(self._text, dict)
        return self._object


class Reader:
    """Read-only view of one journal file. Opening it checks SQLite's structure of the whole file, once.

    Raises Damaged, naming file and row, where structure or checksum is broken; BadData on a file of another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._connection = connect(path, "ro")
        try:
            self._query("PRAGMA wal_autocheckpoint = 0")
            self._identify()
        except BaseException:
            self.close()
            raise

    def keys(self, run: str) -> list[Key]:
        """The names of the effects of one run; what stands under them is verified by `entry`."""
        return [Key(*names) for names in self._query("SELECT state, draw FROM effects WHERE run = ?", run)]

    def entry(self, run: str, key: Key) -> Entry:
        """One effect of a run, by one of its `keys`."""
        sql = "SELECT digest, effect, outcome, checksum FROM effects WHERE run = ? AND state = ? AND draw = ?"
        rows = self._query(sql, run, *key)
        if not rows or rows[0][-1] != row_checksum(run, *key, *rows[0][:-1]):
            raise self._altered(f"effect {key.state}/{key.draw} of run {run!r}")
        name, effect, outcome, _ = rows[0]
        return Entry(name, Form(effect) if effect.startswith("{") else load(effect, object), load_outcome(outcome))

    def trajectory(self, name: str) -> str | None:
        """The saved text of one trajectory by its id; None if it is not here."""
        rows = self._query("SELECT id, json, checksum FROM trajectories WHERE id = ?", name)
        return self._verified(*rows[0]) if rows else None

    def trajectories(self) -> Iterator[tuple[str, str]]:
        """(id, saved text) in order of id. Read in pages: an open iterator does not keep the log from shrinking."""
        sql = "SELECT id, json, checksum FROM trajectories WHERE id > ? ORDER BY id LIMIT 64"
        page = self._query(sql, "")
        while page:
            for row in page:
                yield row[0], self._verified(*row)
            page = self._query(sql, page[-1][0])

    def close(self) -> None:
        self._connection.close()

    def _identify(self) -> None:
        if self._query("PRAGMA application_id") != [(APPLICATION,)]:
            raise BadData(f"{self.path} is no Orchestra journal; fix: give another folder")
        [(version,)] = self._query("PRAGMA user_version")
        if version != FORMAT:
            raise BadData(
                f"{self.path} has format {version}, this version reads {FORMAT}; fix: upgrade orchestra-teams"
            )
        [(verdict,)] = self._query("PRAGMA integrity_check(1)")
        if verdict != "ok":
            raise Damaged(f"{self.path}: {' '.join(verdict.split())}; fix: restore the file from a copy")

    def _verified(self, name: str, text: str, checksum: str) -> str:
        if checksum != row_checksum(name, text):
            raise self._altered(f"trajectory {name!r}")
        return text

    def _altered(self, row: str) -> Damaged:
        return Damaged(f"{self.path}: {row} does not match its checksum; fix: restore the file from a copy")

    def _query(self, sql: str, *values: Any) -> list[Any]:
        try:
            with self._turn:
                return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise failure(self.path, error) from error


def journals(folder: Path) -> list[Path]:
    """The journal files of a run folder, in order of their writers' names."""
    try:
        return sorted(folder.glob("journal-*.sqlite"))
    except OSError as error:
        raise Unavailable(
            f"cannot list {folder}: {error.strerror}; fix: see to the folder and to open files"
        ) from error


def union(sources: Iterable[Iterable[tuple[str, str]]]) -> Iterator[tuple[str, str]]:
    """(id, text) of sources that are each in order of id: every id once, in order, with the earlier source's text.

    >>> list(union([[("a", "1"), ("c", "2")], [("a", "3"), ("b", "4")]]))
    [('a', '1'), ('b', '4'), ('c', '2')]
    """
    for _, same in groupby(merge(*sources, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        yield next(same)


def connect(path: Path, mode: Literal["ro", "rw"]) -> sqlite3.Connection:
    """A connection that any one thread at a time may use, without Python's own transactions; the file must exist."""
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    try:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise failure(path, error) from error


def row_checksum(*values: str | int) -> str:
    """Digest of the other values of a row, in order."""
    return digest(*map(str, values))


def failure(path: Path, error: Exception) -> RunFailed:
    """What a failure of SQLite means here: Damaged if the file is broken, else Unavailable."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest says more
    # Python gives bytes that are no UTF-8 back as an OperationalError of its own, without a code.
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "decode to UTF-8" in str(error):
        return Damaged(f"{path}: {error}; fix: restore the file from a copy")
    return Unavailable(f"{path}: {error}; what was acknowledged is safe; fix: see to the disk, then resume the run")
