"""Saves checkpoints in children that are killed, and prints what each death left.

    python -m tests.learning.crashing points|lines FOLDER


In a process of its own, since it forks: one import of torch for some hundred deaths.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from orchestra import atomic, faults
from orchestra.learning import checkpoints
from orchestra.learning.checkpoints import Checkpoint, newest, save

FACTS = {"data": "d"}
POINTS = ("atomic.written", "atomic.synced", "atomic.renamed")
SOURCES = (checkpoints.__file__, atomic.__file__)


def checkpoint(step: int) -> Checkpoint:
    tensors = {"a": torch.full((3, 2), float(step)), "b": torch.full((2,), -float(step))}
    return Checkpoint(tensors, {"m": torch.full((4,), step / 2)}, ({"loss": 0.5},) * step)


def found(folder: Path) -> int:
    """Step of the newest checkpoint, 0: none, -1: one that is not what was saved, or something passed over."""
    passed_over: list[str] = []
    newest_one = newest(folder, FACTS, passed_over.append)
    if passed_over:
        return -1
    if newest_one is None:
        return 0
    step = len(newest_one.curve)
    whole = checkpoint(step)
    same = all(torch.equal(newest_one.adapter[name], each) for name, each in whole.adapter.items())
    return step if same and torch.equal(newest_one.optimiser["m"], whole.optimiser["m"]) else -1


def died(folder: Path, before: Callable[[int], None]) -> dict[str, int]:
    """Saves steps 1 to 3 in a child, `before` each; then goes on to step 4 in this process."""
    folder.mkdir(parents=True)
    told = folder.with_name(folder.name + ".told")
    child = os.fork()
    if child == 0:
        for step in (1, 2, 3):
            before(step)
            save(folder, checkpoint(step), FACTS)
            told.write_text(str(step))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    report = {"status": status, "told": int(told.read_text()) if told.exists() else 0, "found": found(folder)}
    save(folder, checkpoint(4), FACTS)
    left = len([path for path in folder.rglob("*") if path.is_dir() or path.suffix == ".part"])
    return {**report, "after": found(folder), "left": left}


def at_point(fault: str) -> Callable[[int], None]:
    return lambda step: faults.arm(fault) if step == 1 else None


def at_line(saving: int, number: int) -> Callable[[int], None]:
    """Kills at the N-th line that is executed while one of the saves runs."""
    passed = 0

    def line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal passed
        if frame.f_code.co_filename not in SOURCES:
            return None
        if event == "line":
            passed += 1
            if passed == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    return lambda step: sys.settrace(line if step == saving else None)


def at_points(folder: Path) -> list[dict[str, int]]:
    """Deaths at each passing of each named point in three saves: nine to a save, of which the last also prunes."""
    named = [(point, passing) for passing in range(1, 10) for point in POINTS]
    return [died(folder / f"{point}-{n}", at_point(f"{point}:{n}")) for point, n in named]


def at_lines(folder: Path) -> list[dict[str, int]]:
    """Deaths at every other line of the first save and of the third, up to the child that outlives its line."""
    deaths = []
    for saving in (1, 3):
        for number in range(1, 1000, 2):
            deaths.append(died(folder / f"line-{saving}-{number}", at_line(saving, number)))
            if deaths[-1]["status"] == 0:
                break
    return deaths


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({"points": at_points, "lines": at_lines}[sys.argv[1]](Path(sys.argv[2]))))
