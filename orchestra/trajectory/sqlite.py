"""The journal on disk: what was put is found by a new process, or its `flushed` did not return.

One read-write connection a file, in one process at a time; every other connection only reads. With durability "full" a
commit survives a power cut; with "process" it survives the death of the process, kill -9 included, but a power cut may
take the last ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Literal
from weakref import WeakValueDictionary

from orchestra.atomic import replacing
from orchestra.errors import BadData
from orchestra.faults import point
from orchestra.trajectory.codec import dump, dump_outcome, plain
from orchestra.trajectory.journal import Entry, Failure
from orchestra.trajectory.lock import Lock
from orchestra.trajectory.reader import APPLICATION, FORMAT, Reader, connect, failure, row_checksum
from orchestra.trajectory.trajectory import Trajectory
from orchestra.trajectory.writer import Row, Writer
from orchestra.types import Completion, Key

Durability = Literal["full", "process"]

_TABLES = f"""
    PRAGMA journal_mode = WAL;
    BEGIN;
    CREATE TABLE effects (
        run TEXT NOT NULL, state TEXT NOT NULL, draw INTEGER NOT NULL, digest TEXT NOT NULL, effect TEXT NOT NULL,
        outcome TEXT NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (run, state, draw));
    CREATE TABLE trajectories (id TEXT PRIMARY KEY NOT NULL, json TEXT NOT NULL, checksum TEXT NOT NULL);
    PRAGMA application_id = {APPLICATION};
    PRAGMA user_version = {FORMAT};
    COMMIT;
"""
_EFFECT = "INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_TRAJECTORY = "INSERT INTO trajectories VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


class RunJournal:
    """The Journal of one run: what was put here is in memory and on its way to disk, what was stored is read when asked
    for. So a long run goes on at once, and takes no more memory than its keys.
    """

    def __init__(self, writer: Writer, run: str, stored: dict[Key, Reader]) -> None:
        self._writer = writer
        self._run = run
        self._stored = stored
        self._known: dict[Key, Entry] = {}

    def get(self, key: Key) -> Entry | None:
        """As Journal has it. Raises Damaged, naming file and effect, if that was altered."""
        if (reader := self._stored.get(key)) is not None:
            return reader.entry(self._run, key)
        return self._known.get(key)

    def put(self, key: Key, entry: Entry) -> None:
        """As Journal has it. What `get` gives back is what a new process would read: plain data, arrays as tuples.

        Raises BadData on what cannot be saved, Unavailable or Damaged if the writer failed; then nothing was put.
        """
        if key in self._known or key in self._stored:
            return
        effect, outcome = plain(entry.effect), entry.outcome
        if not isinstance(outcome, (Completion, Failure)):
            outcome = plain(outcome)
        point("sqlite.put")
        values = (self._run, key.state, key.draw, entry.digest, dump(effect), dump_outcome(outcome))
        self._writer.put(Row(_EFFECT, (*values, row_checksum(*values)), owner=self))
        self._known[key] = Entry(entry.digest, effect, outcome)

    async def flushed(self) -> None:
        await self._writer.flushed()


class SqliteLog:
    """The only writer of one file: effects of many runs, and finished trajectories. `close` it or use it in `with`.

    Raises Unavailable, naming the owner, if another process (or another log of this one) writes the file, and Damaged
    if the file is broken. A failed commit ends its use: every later call raises.
    """

    def __init__(self, path: Path, durability: Durability = "full") -> None:
        self.path = path
        self._lock = Lock(path)
        try:
            connection = _open(path, durability)
            try:
                self.reader = Reader(path)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        self._writer = Writer(path, connection)
        # Weak, so that finished runs leave memory; a row on its way holds its journal, so none is loaded without it.
        self._journals: WeakValueDictionary[str, RunJournal] = WeakValueDictionary()

    def journal(self, run: str, others: Iterable[Reader] = ()) -> RunJournal:
        """The journal of one run, loaded from this file and, where a key is not in it, from those of other writers."""
        journal = self._journals.get(run)
        if journal is None:
            stored = {key: reader for reader in (*others, self.reader) for key in reader.keys(run)}
            journal = self._journals[run] = RunJournal(self._writer, run, stored)
        return journal

    def add(self, trajectory: Trajectory) -> None:
        """Queues a finished trajectory; of two with one id the first stands. On disk, and readable, after `flushed`."""
        if not trajectory.id:
            raise BadData("a trajectory to be kept needs an id, got ''; fix: give it one")
        point("sqlite.add")
        values = (trajectory.id, dump(trajectory))
        self._writer.put(Row(_TRAJECTORY, (*values, row_checksum(*values)), owner=self))

    async def flushed(self) -> None:
        """Returns once everything put or added before is on disk."""
        await self._writer.flushed()

    def close(self) -> None:
        """Commits what is queued and gives the file free. Raises if that was not possible."""
        # The reader first: SQLite moves the log into the file when the last connection closes, if that one may write.
        self.reader.close()
        try:
            self._writer.close()
        finally:
            self._lock.release()

    def __enter__(self) -> SqliteLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(path: Path, durability: Durability) -> sqlite3.Connection:
    """The read-write connection; recovers what a killed owner left in the write-ahead log."""
    if not path.exists():
        _create(path)
    connection = connect(path, "rw")
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # already, or of a file made elsewhere
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
    except sqlite3.Error as error:
        connection.close()
        raise failure(path, error) from error
    point("sqlite.opened")
    return connection


def _create(path: Path) -> None:
    """A new file appears with its tables in it, or not at all.

    In WAL mode from the first: a kill while a file changes its mode leaves a rollback to do, which no reader can.
    """
    with replacing(path) as part:
        try:
            with closing(sqlite3.connect(part, isolation_level=None)) as connection:
                connection.executescript(_TABLES)
        except sqlite3.Error as error:
            raise failure(path, error) from error
        point("sqlite.creating")
