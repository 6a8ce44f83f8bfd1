"""How a debate moves: accuracy by round, flips from right to wrong and back, and when all agree.

A member's answer stands until it gives another one, also in runs that ended before that round, so every round is a mean
over the same tasks. A flip is between two messages of one member that follow each other; it is counted in the round of
the later one. Flips of one run are not independent of each other, so beside McNemar's p, which takes them as if they
were, stands the net gain a task with its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from orchestra.answers import equal
from orchestra.credit.speech import spoken
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.diagnostics.accuracy import accuracy
from orchestra.evaluation.diagnostics.speech import alike, by_sender, most_common, worth
from orchestra.evaluation.result import Rule
from orchestra.evaluation.statistics import Interval, Paired, mcnemar, mean_interval
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Message


@dataclass(frozen=True, slots=True)
class Round:
    """How things stand at the end of one round."""

    round: int
    members: Interval
    """Accuracy of the standing answers, mean over members, then over tasks."""
    majority: Interval
    """Accuracy of the most frequent standing answer."""


@dataclass(frozen=True, slots=True)
class Flips:
    """What the messages of one round changed in their members' answers."""

    round: int
    right_wrong: int
    wrong_right: int
    changed: int
    """Other answers than before, from wrong to wrong too."""
    test: Paired
    """Accuracy after minus before, over pairs of messages."""
    gain: Interval
    """The same as a mean over tasks of the net number of members put right."""


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Of all scored runs."""

    rounds: tuple[Round, ...]
    flips: tuple[Flips, ...]
    consensus: tuple[int | None, ...]
    """Of each run the first round at whose end all who had spoken gave one answer; None: never."""

    @property
    def agreed(self) -> float | None:
        """Share of runs that came to a consensus."""
        return fmean(round is not None for round in self.consensus) if self.consensus else None

    @property
    def consensus_rounds(self) -> float | None:
        """Mean number of rounds to it, over the runs that came to one."""
        reached = [round + 1 for round in self.consensus if round is not None]
        return fmean(reached) if reached else None


def dynamics(trajectories: Sequence[Trajectory], benchmark: Benchmark, rule: Rule = "flexible") -> Dynamics:
    """Of runs whose tasks have a gold and in which a member spoke; a reply without an answer is wrong."""
    runs = [_Run(trajectory, benchmark, rule) for trajectory in trajectories]
    scored = [run for run in runs if run.messages and run.scored]
    last = max((message.round for run in scored for message in run.messages), default=-1)
    return Dynamics(
        tuple(_round(scored, round) for round in range(last + 1)),
        tuple(found for round in range(1, last + 1) if (found := _flips(scored, round)) is not None),
        tuple(run.consensus() for run in scored),
    )


class _Run:
    """One run: its messages, and which of them are right."""

    def __init__(self, trajectory: Trajectory, benchmark: Benchmark, rule: Rule) -> None:
        self.kind = trajectory.task.kind
        self.messages = spoken(trajectory)
        scores = {m.id: worth(benchmark, trajectory.task, m.content, rule) for m in self.messages}
        self.scored = None not in scores.values()
        self.right = {id: score == 1.0 for id, score in scores.items()}

    def standing(self, round: int) -> list[Message]:
        """Each member's last message up to a round."""
        heard = by_sender(m for m in self.messages if m.round <= round)
        return [said[-1] for said in heard.values()]

    def consensus(self) -> int | None:
        for round in range(self.messages[-1].round + 1):
            answers = [message.answer for message in self.standing(round)]
            if answers and all(equal(answers[0], answer, self.kind) for answer in answers):
                return round
        return None

    def pairs(self, round: int) -> list[tuple[Message, Message]]:
        """What members said in a round, each with what it had said before."""
        said = by_sender(self.messages).values()
        return [(before, after) for each in said for before, after in pairwise(each) if after.round == round]


def _round(runs: Sequence[_Run], round: int) -> Round:
    members, majority = [], []
    for run in runs:
        standing = run.standing(round)
        if standing:  # nobody of a run speaks first in a later round than its first
            chosen = most_common(standing, run.kind)
            members.append(fmean(run.right[m.id] for m in standing))
            majority.append(float(chosen is not None and run.right[chosen.id]))
    return Round(round, accuracy(members), accuracy(majority))


def _flips(runs: Sequence[_Run], round: int) -> Flips | None:
    """None where nobody spoke a second time."""
    pairs = [(run, before, after) for run in runs for before, after in run.pairs(round)]
    if not pairs:
        return None
    was, now = [run.right[b.id] for run, b, _ in pairs], [run.right[a.id] for run, _, a in pairs]
    test = mcnemar(now, was)
    gains = [float(sum(run.right[a.id] - run.right[b.id] for b, a in run.pairs(round))) for run in runs]
    changed = sum(not alike(b.answer, a.answer, run.kind) for run, b, a in pairs)
    return Flips(round, test.discordant[1], test.discordant[0], changed, test, mean_interval(gains))
