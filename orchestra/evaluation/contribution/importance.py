"""DyLAN's agent importance score (arXiv 2310.02170, equations 10 to 12), from ratings that the run recorded.

    last layer   I_i = 1/m for the m members whose answer is the team's, else 0
    before       I_i = sum over readers j of w_ij I_j,   w_ij = s_ij / sum over k of s_kj,   s = clip(rating / 5, 0, 1)
    agent        sum over its messages

A rating is what a reader thought of a message that it had read: the typed output of its reply has an attribute (in a
stored run, a field) `ratings`, sender -> 1 to 5, as `team.ranking.Rated` has it. Ratings that are missing count as the
mean of those given; where all are 0 or none was given, as after a reply that cannot be parsed, the weights are uniform.
The last layer is what was said in the last round and not read by another member in it. On layered teams the
importances of each layer add up to 1; where no last answer is the team's (a failed run) all are 0. No model is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from orchestra.answers import equal
from orchestra.evaluation.contribution.worth import Contribution
from orchestra.evaluation.diagnostics.speech import read_by, spoken
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Message


def importance(trajectory: Trajectory) -> Contribution:
    """Of one recorded run: each member's score; `worth` is their sum, of a layered team the layers credited."""
    messages, agents = spoken(trajectory), dict[str, float]()
    shares = by_message(trajectory)
    for message in messages:
        agents[message.sender] = agents.get(message.sender, 0.0) + shares[message.id]
    return Contribution(trajectory.id, sum(agents.values()), agents)


def by_message(trajectory: Trajectory) -> dict[str, float]:
    """Message id -> its importance, for every message of a member."""
    messages = spoken(trajectory)
    known = {message.id: message for message in messages}
    read = {message.id: read_by(message.saw, known) for message in messages}
    found = dict.fromkeys(known, 0.0)
    last = _last_layer(messages, read)
    chosen = [m.id for m in last if equal(m.answer, trajectory.leaf.answer, trajectory.task.kind)]
    found |= dict.fromkeys(chosen, 1 / len(chosen) if chosen else 0.0)
    for message in reversed(messages):  # canonical order: whoever read it comes later
        for said, weight in zip(read[message.id], weights(message, read[message.id]), strict=True):
            found[said.id] += weight * found[message.id]
    return found


def weights(reader: Message, read: Sequence[Message]) -> list[float]:
    """What a reader's ratings say of what it read, in that order; they add up to 1.

    >>> said = [Message(f"t/{name}@0", name, 0, "4") for name in "ab"]
    >>> class Said:
    ...     ratings = {"a": 4, "b": 1}
    >>> weights(Message("t/c@1", "c", 1, "4", parsed=Said()), said), weights(Message("t/c@1", "c", 1, "4"), said)
    ([0.8, 0.2], [0.5, 0.5])
    """
    ratings = ratings_in(reader.parsed)
    given = {m.sender: _share(ratings[m.sender]) for m in read if m.sender in ratings}
    known = {name: share for name, share in given.items() if share is not None}
    usual = fmean(known.values()) if known else 1.0
    shares = [known.get(message.sender, usual) for message in read]
    total = sum(shares)
    return [share / total for share in shares] if total > 0 else [1 / len(read) for _ in read]


def ratings_in(parsed: Any) -> Mapping[str, Any]:
    """The ratings of a typed output; empty where it has none."""
    found = parsed.get("ratings") if isinstance(parsed, Mapping) else getattr(parsed, "ratings", None)
    return found if isinstance(found, Mapping) else {}


def _share(rating: object) -> float | None:
    """A rating as a share of the best; None for what is no finite number."""
    if not isinstance(rating, (int, float)) or not isfinite(rating):
        return None
    return min(1.0, max(0.0, rating / 5))


def _last_layer(messages: Sequence[Message], read: Mapping[str, Sequence[Message]]) -> list[Message]:
    """What was said in the last round and not read by another member in it."""
    last = [message for message in messages if message.round == messages[-1].round]
    heard = {said.id for message in last for said in read[message.id]}
    return [message for message in last if message.id not in heard]
