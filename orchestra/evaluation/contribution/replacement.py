"""Counterfactual messages: what a run would have been worth had one message been another, or none.

    effect of a message = worth of the run - worth of the run with it replaced

The words of the call that said it are put in other words in a journal laid over the run's, and all that follows is run
again; the member parses them as its own. No words at all mute the member in that round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestra.credit.speech import said_in, spoken
from orchestra.evaluation.contribution.muted import muted
from orchestra.evaluation.contribution.replay import Replay, Variant
from orchestra.evaluation.contribution.worth import Worth
from orchestra.evaluation.diagnostics.speech import most_common
from orchestra.team import Team
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Key, Message

Words = Callable[[Trajectory, Message], str | None]
"""What stands in the place of a message; None: nothing."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One message of a run, and how the run went with it replaced."""

    message: str
    """Its id."""
    sender: str
    round: int
    decision: Key
    """The call that said it."""
    worth: float
    """Of the run with the message replaced."""
    effect: float
    """Worth of the run as it was, minus that."""
    calls: int
    """Model calls that the variant took."""

    @property
    def mends(self) -> bool:
        """Whether the run is fully right with it."""
        return self.worth == 1.0


def nothing(trajectory: Trajectory, message: Message) -> None:
    """The message is not said."""


def majority(trajectory: Trajectory, message: Message) -> str | None:
    """What those said who gave the most frequent answer of its round, the others of that round being asked."""
    others = [m for m in spoken(trajectory) if m.round == message.round and m.sender != message.sender]
    chosen = most_common(others, trajectory.task.kind)
    return None if chosen is None else chosen.content


def said(trajectory: Trajectory) -> list[tuple[Message, Decision]]:
    """The members' messages that a single call said, with that call; others cannot be put in other words."""
    made = [(message, said_in(message, trajectory.decisions)) for message in spoken(trajectory)]
    return [(message, decision) for message, decision in made if decision is not None]


async def replaced(team: Team, replay: Replay, message: Message, decision: Decision, text: str | None) -> Variant:
    """The run with one message in other words, or without it."""
    if text is None:
        return await replay.run(muted(team, [message.sender], message.round))
    return await replay.run(team, {decision.key: text})


async def replacements(team: Team, replay: Replay, worth: Worth, words: Words = nothing) -> list[Replaced]:
    """Every message of a recorded run replaced, one at a time, in canonical order."""
    replay.check(team)
    whole, found = worth(replay.trajectory), []
    for message, decision in said(replay.trajectory):
        variant = await replaced(team, replay, message, decision, words(replay.trajectory, message))
        found.append(effect(message, decision, whole, worth(variant.trajectory), variant.calls))
    return found


def effect(message: Message, decision: Decision, whole: float, after: float, calls: int) -> Replaced:
    """The record of one replacement in a run that was worth `whole`."""
    return Replaced(message.id, message.sender, message.round, decision.key, after, whole - after, calls)
