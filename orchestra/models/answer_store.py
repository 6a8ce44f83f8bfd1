"""The file of a cache: answers of models by the digest of what was asked, each with a checksum. It only ever grows.

SQLite in WAL mode with one table, a row the line of a `tape`. Any number of processes may have it open; whoever writes
holds a lock beside it, since SQLite before 3.51.3 can lose commits when two connections write. A commit survives the
death of its process; a power cut may take the last ones, which are then asked for again.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from orchestra.errors import BadData, Damaged, OrchestraError, Unavailable
from orchestra.models.tape import Row, decoded, encoded

FORMAT = 1
"""Version of the table, kept in PRAGMA user_version."""
APPLICATION = 0x4F524341
""""ORCA", kept in PRAGMA application_id: tells a cache from a journal and from other people's SQLite files."""
PATIENCE = 60.0
"""Seconds to wait for another process that writes."""
FIX = "delete the file; its answers are then asked for again"


class AnswerStore:
    """One such file, made where it is missing. May be called from any thread.

    Raises BadData for a file that is no cache or one of another version, Damaged where it was torn or altered, and
    Unavailable where the disk refuses or another process keeps the file locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._writing = threading.Lock()  # a FileLock counts threads of one process as one holder
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), thread_local=False)
        with self._failures():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._finalizer = weakref.finalize(self, self._connection.close)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the file; happens by itself when the store is let go, or at exit."""
        self._finalizer()

    def get(self, names: Sequence[str]) -> dict[str, Row]:
        """What is known under these names, verified."""
        found = {}
        for name in names:
            with self._failures(), self._turn:
                row = self._connection.execute("SELECT line FROM answers WHERE name = ?", (name,)).fetchone()
            if row is not None:
                found[name] = decoded(row[0], Row, f"{self.path}, answer {name},", FIX)
        return found

    def put(self, rows: Mapping[str, Row]) -> None:
        """Keeps rows under their names, all or none; of two under one name the first stands."""
        lines = [(name, encoded(row)) for name, row in rows.items()]
        if not lines:
            return
        with self._alone(), self._failures(), self._turn, self._connection as transaction:
            transaction.execute("BEGIN IMMEDIATE")
            transaction.executemany("INSERT INTO answers VALUES (?, ?) ON CONFLICT DO NOTHING", lines)

    def _prepare(self) -> None:
        with self._alone(), self._failures():
            application, version, pages = (
                self._connection.execute(f"PRAGMA {fact}").fetchone()[0]
                for fact in ("application_id", "user_version", "page_count")
            )
            if not pages:
                self._connection.executescript(
                    "PRAGMA journal_mode = WAL; BEGIN; CREATE TABLE answers (name TEXT PRIMARY KEY NOT NULL, line BLOB "
                    f"NOT NULL); PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
                )
            elif application != APPLICATION:
                raise self._stranger()
            elif version != FORMAT:
                raise BadData(f"{self.path} has format {version}, this version reads {FORMAT}; fix: another file")
            self._connection.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """As the only writer of all processes."""
        with self._writing:
            try:
                self._lock.acquire(timeout=PATIENCE)
            except Timeout as error:
                raise Unavailable(
                    f"another process has kept {self.path} locked for {PATIENCE:g} s; fix: end it, or another file"
                ) from error
            except OSError as error:
                raise self._refused(error) from error
            try:
                yield
            finally:
                self._lock.release()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._refused(error) from error

    def _stranger(self) -> BadData:
        return BadData(f"{self.path} is no cache of answers; fix: choose another file")

    def _refused(self, error: Exception) -> OrchestraError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest says more
        if code == sqlite3.SQLITE_NOTADB:
            return self._stranger()
        if code == sqlite3.SQLITE_CORRUPT:
            return Damaged(f"{self.path}: {error}; fix: {FIX}")
        return Unavailable(f"cannot use the cache {self.path}: {error}; fix: see to the disk, or choose another file")
