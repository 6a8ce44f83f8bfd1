"""How long a run of many effects takes to go on: from opening its folder to the first call that is new, and in how much
memory.

    python scripts/bench/resume.py [--effects 100000] [--words 24] [--folder DIR] [--json]

One actor makes all the calls one after another, so that resuming has to answer each from the journal before it comes to
the first new one. The journal is written by one process and resumed by another, which is the one that is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestra.engine import Context, run
from orchestra.trajectory.store import open_run
from orchestra.types import Completion, Reply, Request, Usage, View

WORDS = ["thirty-four", "plus", "fifty-seven", "is", "ninety-one", "then"]
"""What is repeated up to the length of a prompt or reply."""


class Talker:
    """An actor of so many calls, each with a prompt and a reply of so many words; its model notes when it is asked."""

    name = "talker"

    def __init__(self, effects: int, words: int) -> None:
        self.effects = effects
        self.text = " ".join((WORDS * (words // len(WORDS) + 1))[:words])
        self.tokens = tuple(range(1000, 1000 + words))
        self.asked: tuple[float, ...] = ()
        """Clock, processor seconds and peak memory at its first call."""

    async def __call__(self, view: View, ctx: Context) -> Reply:
        for number in range(self.effects):
            await ctx.do(Request((("user", f"{number}: {self.text}"),)), self.model)
        return Reply("done")

    async def model(self, requests: Sequence[Request]) -> list[Completion]:
        if not self.asked:
            self.asked = (time.perf_counter(), time.process_time(), _peak())
        count = len(self.tokens)
        made = Completion(self.text, (), self.tokens, None, (1,) * count, "stop", Usage(1, count + 1, count))
        return [made for _ in requests]


def write(folder: Path, effects: int, words: int) -> dict[str, Any]:
    """Runs all the effects; none of them is there before."""
    talker = Talker(effects, words)
    start = time.perf_counter()
    with open_run(folder, create=True) as saved:
        asyncio.run(run(talker, "count", journal=saved.journal("talk")))
    return {"seconds": time.perf_counter() - start, "bytes": (folder / "journal-main.sqlite").stat().st_size}


def resume(folder: Path, effects: int, words: int) -> dict[str, Any]:
    """Runs them again and one more; says when that one was made. Memory is what the process held until then."""
    talker = Talker(effects + 1, words)
    before, busy = _peak(), time.process_time()
    start = time.perf_counter()
    with open_run(folder) as saved:
        journal = saved.journal("talk")
        opened = time.perf_counter()
        asyncio.run(run(talker, "count", journal=journal))
    clock, processor, peak = talker.asked
    return {
        "open": opened - start, "first_call": clock - start, "processor": processor - busy, "imports_mb": before,
        "peak_mb": peak,
    }  # fmt: skip


def _peak() -> float:
    """Megabytes of memory that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def _apart(step: str, folder: Path, effects: int, words: int) -> dict[str, Any]:
    """What a step measured, run in a process of its own."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
    command += ["--effects", str(effects), "--words", str(words)]
    said = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # this very file
    return dict(json.loads(said.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--effects", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=24, help="words of a prompt, and of a reply")
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: the temporary folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--step", choices=["write", "resume"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        step = {"write": write, "resume": resume}[args.step]
        print(json.dumps(step(args.folder, args.effects, args.words)))
        return
    with TemporaryDirectory(dir=args.folder) as folder:
        written = _apart("write", Path(folder), args.effects, args.words)
        resumed = _apart("resume", Path(folder), args.effects, args.words)
    if args.json:
        print(json.dumps({"effects": args.effects, "written": written, "resumed": resumed}))
        return
    print(f"{args.effects:,} effects, {written['bytes'] / 1e6:.0f} MB, written in {written['seconds']:.1f} s")
    print(f"opened in {resumed['open']:.2f} s, first new call after {resumed['first_call']:.2f} s")
    print(f"memory: {resumed['imports_mb']:.0f} MB before, {resumed['peak_mb']:.0f} MB at most")


if __name__ == "__main__":
    main()
