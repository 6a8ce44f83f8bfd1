"""Letters of which the second process dies, by SIGKILL, at the first score of a task from number `LAST` on, once.

What says that it has happened is the file that MORTAL names; without the variable nobody dies.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from orchestra.evaluation.benchmark import Score
from orchestra.types import Task
from tests.training.letters import Letters

LAST = 5


@dataclass(frozen=True)
class Mortal(Letters):
    def score(self, task: Task, text: str | None) -> Score:
        died = Path(os.environ["MORTAL"]) if "MORTAL" in os.environ else None
        late = int(task.id.rpartition("/")[2]) >= LAST
        if died is not None and late and os.environ.get("RANK") == "1" and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().score(task, text)


mortal_letters = Mortal()
