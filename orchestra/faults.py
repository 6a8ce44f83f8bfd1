"""Named crash points: where a crash could lose or tear something, a test can make it happen there.

`ORCHESTRA_FAULT=POINT:N[:kill|exit]`, read when the process begins, ends it at the N-th passing of that point: by
SIGKILL, or by an exit of status 137 that cleans nothing up. Unset, a point does nothing.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Final, Literal, NamedTuple, get_args

from orchestra.errors import BadInput, UnknownName

VARIABLE: Final = "ORCHESTRA_FAULT"

Point = Literal[
    "atomic.written",  # the new file is there under another name, not synced
    "atomic.synced",  # synced, not yet renamed
    "atomic.renamed",  # renamed, the folder not yet synced
    "store.folder_made",  # a run folder without run.json
    "store.annotating",
    "sqlite.creating",  # a journal file with its tables, not yet under its name
    "sqlite.opened",  # what the last owner left is recovered
    "sqlite.put",  # an effect has its outcome, and is not queued
    "sqlite.add",
    "writer.queued",
    "writer.begun",  # a group is in the transaction
    "writer.committed",  # on disk, and nobody knows it
    "writer.settled",  # counted as committed, and nobody who waits was told
    "writer.closing",  # before SQLite moves the log into the file
    "shards.begun",
    "shards.written",  # a shard that no manifest lists
    "shards.sealed",
]
POINTS: Final[tuple[Point, ...]] = get_args(Point)


class _Fault(NamedTuple):
    point: str
    passing: int
    way: str


class _Asked:
    """What is to happen in this process, and how often its point was passed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.passed = 0
        self.counting = threading.Lock()


_asked = _Asked(os.environ.get(VARIABLE, ""))


def point(name: Point) -> None:
    """Ends the process if that was asked for, here and now. Raises BadInput if what was asked for is no fault."""
    if _asked.text:
        _pass(name)


def arm(fault: str) -> None:
    """As if the process had begun with this in the variable; for children that were forked. "" disarms."""
    _asked.text, _asked.passed = fault, 0


def _pass(name: str) -> None:
    fault = _fault(_asked.text)
    if name != fault.point:
        return
    with _asked.counting:
        _asked.passed += 1
        last = _asked.passed == fault.passing
    if last and fault.way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif last:
        os._exit(137)


def _fault(text: str) -> _Fault:
    name, _, rest = text.partition(":")
    if name not in POINTS:
        raise UnknownName(f"crash point in {VARIABLE}", name, POINTS)
    number, _, way = rest.partition(":")
    if not (number.isdecimal() and int(number) > 0 and way in ("", "kill", "exit")):
        raise BadInput(f"{VARIABLE}={text!r}: expected POINT:N or POINT:N:exit, N from 1; fix: {name}:1:kill")
    return _Fault(name, int(number), way or "kill")
