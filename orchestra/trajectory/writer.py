"""Group commit: rows go in from any thread, one thread writes, `flushed` returns once all rows before it are committed.

A group is committed at once when somebody waits for it, else when it is full or its first row has lingered. The
connection belongs to the thread alone. After a failed commit nothing more is written, and whoever waits or comes later
is told.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from orchestra.errors import RunFailed, Unavailable
from orchestra.faults import point
from orchestra.trajectory.reader import failure

GROUP = 256
"""Rows that are committed together at most."""
LINGER = 0.05
"""Seconds that a row waits for company while nobody waits for it."""
QUEUE = 4096
"""Rows that may wait for the disk; beyond, `put` blocks until the thread has caught up."""


class Row(NamedTuple):
    """What is to be written."""

    insert: str
    """The statement, with a question mark a value."""
    values: tuple[Any, ...]
    owner: object
    """Kept alive until the row is committed."""


class _Waiter(NamedTuple):
    target: int
    """It waits until so many rows are committed."""
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Writer:
    """The thread that owns a read-write connection, from construction to `close`. It does not survive a fork.

    Every method raises Unavailable or Damaged, naming the file, once a commit has failed; rows that `flushed` has
    acknowledged are safe then.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._changed = threading.Condition()
        self._queue: list[Row] = []
        self._since = 0.0
        self._accepted = self._committed = 0
        self._waiters: list[_Waiter] = []
        self._failed: RunFailed | None = None
        self._closing = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._work, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Queues a row; blocks while the queue is full."""
        self._same_process()
        with self._changed:
            while len(self._queue) >= QUEUE and not self._failed:
                self._changed.wait()
            self._usable()
            self._queue.append(row)
            self._accepted += 1
            if len(self._queue) == 1:
                self._since = time.monotonic()
            if len(self._queue) in (1, GROUP):
                self._changed.notify_all()
        point("writer.queued")

    async def flushed(self) -> None:
        """Returns once every row put before is committed; from any asyncio loop."""
        self._same_process()
        loop = asyncio.get_running_loop()
        with self._changed:
            self._usable()
            if self._committed == self._accepted:
                return
            future = loop.create_future()
            self._waiters.append(_Waiter(self._accepted, loop, future))
            self._changed.notify_all()
        await future

    def close(self) -> None:
        """Commits what is queued and closes the connection; raises if rows are not on disk. Later calls do nothing."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        if self._failed and self._committed < self._accepted:
            raise _again(self._failed)

    def _same_process(self) -> None:
        if os.getpid() != self._process:
            raise Unavailable(
                f"{self._path} was opened by process {self._process}; fix: open another file after the fork"
            )

    def _usable(self) -> None:
        if self._failed:
            raise _again(self._failed)
        if self._closing:
            raise Unavailable(f"{self._path} is closed; fix: open it again")

    def _work(self) -> None:
        try:
            while self._write_group():
                pass
        except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must hear of it
            self._fail(failure(self._path, error))
        finally:
            point("writer.closing")
            self._connection.close()

    def _write_group(self) -> bool:
        # A frame of its own: a group that the loop still held would keep the owners of its rows alive.
        group = self._next()
        self._commit(group)
        self._settle(len(group))
        return bool(group)

    def _next(self) -> list[Row]:
        """The next group, once it is due; empty when everything is written and the writer is to close."""
        with self._changed:
            while not (self._closing or self._waiters or len(self._queue) >= GROUP):
                rest = self._since + LINGER - time.monotonic() if self._queue else None
                if rest is not None and rest <= 0:
                    break
                self._changed.wait(rest)
            return self._queue[:GROUP]

    def _commit(self, group: list[Row]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for insert, rows in groupby(group, key=lambda row: row.insert):
            self._connection.executemany(insert, [row.values for row in rows])
        point("writer.begun")
        self._connection.execute("COMMIT")
        point("writer.committed")

    def _settle(self, count: int) -> None:
        with self._changed:
            del self._queue[:count]
            self._since = time.monotonic()
            self._committed += count
            due = [waiter for waiter in self._waiters if waiter.target <= self._committed]
            self._waiters = [waiter for waiter in self._waiters if waiter.target > self._committed]
            self._changed.notify_all()
        point("writer.settled")
        _wake(due, None)

    def _fail(self, failed: RunFailed) -> None:
        with self._changed:
            self._failed = failed
            due, self._waiters = self._waiters, []
            self._changed.notify_all()
        _wake(due, failed)


def _wake(waiters: list[_Waiter], failed: RunFailed | None) -> None:
    for loop in {waiter.loop for waiter in waiters}:
        futures = [waiter.future for waiter in waiters if waiter.loop is loop]
        with suppress(RuntimeError):  # a closed loop: nobody waits there any more
            loop.call_soon_threadsafe(_resolve, futures, failed)  # once a loop, not once a waiter


def _resolve(futures: list[asyncio.Future[None]], failed: RunFailed | None) -> None:
    for future in futures:
        if future.done():  # its task was cancelled
            continue
        if failed is None:
            future.set_result(None)
        else:
            future.set_exception(_again(failed))


def _again(failed: RunFailed) -> RunFailed:
    """A fresh exception: one object raised in many tasks would pile up their tracebacks."""
    return type(failed)(*failed.args)
