"""A process that can be killed: reads `start NAME FILE FIRST` and `reap NAME` from stdin, forks one appender a start.

An appender puts effects FIRST, FIRST + 1, ... and writes `NAME ack N` only after `flushed` returned for effect N, so
that whoever kills it knows what was acknowledged. Imports are paid once: the parent forks, and has no thread.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from orchestra.trajectory.journal import Entry
from orchestra.trajectory.sqlite import SqliteLog
from orchestra.types import Key


def entry(number: int) -> Entry:
    """What effect `number` is; lengths vary, so that rows spill over pages now and then."""
    return Entry(f"{number:032x}", {"question": number}, {"answer": "x" * (number * 37 % 900), "number": number})


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # one write of less than PIPE_BUF bytes: whole or absent


async def append(name: str, file: Path, first: int) -> None:
    with SqliteLog(file) as log:
        journal = log.journal("run")
        for number in count(first):
            journal.put(Key("s", number), entry(number))
            if number % 3 == 0:  # groups of three, so that a kill also falls between put and commit
                await journal.flushed()
                say(f"{name} ack {number}")


def main() -> None:
    children = {}
    for line in sys.stdin:
        command, name, *rest = line.split()
        if command == "start":
            children[name] = child = os.fork()
            if child == 0:
                asyncio.run(append(name, Path(rest[0]), int(rest[1])))
            say(f"{name} pid {child}")
        else:
            os.waitpid(children.pop(name), 0)
            say(f"{name} end 0")


if __name__ == "__main__":
    main()
