"""Who made a failed run fail: the first wrong message whose replacement by the right answer makes the run right.

This is the decisive error of Who&When (arXiv 2505.00212), found by running again where its judges read the log. Each
message that is wrong in itself is put right, one at a time; where no single one mends the run nobody alone is guilty.
The cheapest fix is the one that takes the fewest new calls; mending the last word usually takes none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.contribution.replacement import Replaced, effect, replaced, said
from orchestra.evaluation.contribution.replay import Replay
from orchestra.evaluation.contribution.worth import scored
from orchestra.evaluation.diagnostics.speech import worth
from orchestra.evaluation.result import Rule
from orchestra.team import Team
from orchestra.types import Message, Task

Right = Callable[[Task, Message], str | None]
"""The words with which a member would give the right answer; None: it is none that answers."""


@dataclass(frozen=True, slots=True)
class Blame:
    """Of one run."""

    trajectory: str
    failed: bool
    """Whether it was wrong at all; where it was not, nothing was tried."""
    tried: tuple[Replaced, ...]
    """Every wrong message, put right, in canonical order."""

    @property
    def guilty(self) -> Replaced | None:
        """The first that mends the run: agent and step; None: no single one does."""
        return next((each for each in self.tried if each.mends), None)

    @property
    def cheapest(self) -> Replaced | None:
        """The one that mends it with the fewest new calls, of equal ones the first."""
        return min((each for each in self.tried if each.mends), key=lambda each: each.calls, default=None)


def answered(task: Task, message: Message) -> str | None:
    """`The answer is G.`, which roles that read a number, a letter or a text parse; for members that answered."""
    return None if message.answer is None else f"The answer is {task.gold}."


async def guilty(
    team: Team, replay: Replay, benchmark: Benchmark, right: Right = answered, rule: Rule = "flexible"
) -> Blame:
    """Of one recorded run of the team. A task without a gold is refused with BadInput."""
    replay.check(team)
    run, value = replay.trajectory, scored(benchmark, rule)
    whole = value(run)
    tried = []
    for message, decision in said(run) if whole < 1 else ():
        words = right(run.task, message)
        if words is not None and worth(benchmark, run.task, message.content, rule) != 1.0:
            variant = await replaced(team, replay, message, decision, words)
            tried.append(effect(message, decision, whole, value(variant.trajectory), variant.calls))
    return Blame(run.id, whole < 1, tuple(tried))
