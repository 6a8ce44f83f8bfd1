"""A process that forks children and kills them: imports are paid once, and no thread is there when it forks.

It reads a JSON list of jobs a line, runs them side by side, and answers with their exit statuses; -9 is SIGKILL.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]


class Job(NamedTuple):
    """One child."""

    scene: str
    """A function of `scenes`."""
    args: dict[str, Any]
    """What it is called with."""
    after: float | None = None
    """Seconds after which it is killed; None: it is left to its end."""
    fault: str = ""
    """As ORCHESTRA_FAULT has it."""


class Nursery:
    """The process, seen from outside; use it in `with`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.nursery"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, bufsize=1)

    def run(self, *jobs: Job) -> list[int]:
        """Runs the jobs side by side until all have ended; their exit statuses in order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(jobs) + "\n")
        return list(json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Nursery:
        self.run()  # nothing: it answers once it is ready
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


class _Child:
    def __init__(self, job: Job) -> None:
        # The child holds the writing end, so the other end comes to its end when the child does.
        self.ended, held = os.pipe()
        self.deadline = None if job.after is None else time.monotonic() + job.after
        self.pid = os.fork()
        if self.pid == 0:
            _live(job)
        os.close(held)

    def end(self) -> int:
        """Waits until it has ended or its time has come; its exit status."""
        rest = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        if not select.select([self.ended], [], [], rest)[0]:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.ended)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _live(job: Job) -> None:
    from orchestra import faults
    from tests.faults import scenes

    try:
        faults.arm(job.fault)
        getattr(scenes, job.scene)(**job.args)
        os._exit(0)
    except BaseException:  # noqa: BLE001  # a forked child must not go on as its parent
        traceback.print_exc()
        os._exit(1)


def main() -> None:
    from tests.faults import scenes

    scenes.warm_up()
    gc.freeze()  # so that children do not copy every page on which a reference is counted
    for line in sys.stdin:
        children = [_Child(Job(*job)) for job in json.loads(line)]
        by_time = sorted(children, key=lambda child: child.deadline or float("inf"))
        statuses = {child.pid: child.end() for child in by_time}
        print(json.dumps([statuses[child.pid] for child in children]), flush=True)


if __name__ == "__main__":
    main()
