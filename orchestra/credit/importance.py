"""DyLAN's agent importance score (arXiv 2310.02170, equations 10 to 12), from ratings that the run recorded, as credit.

    last layer   I_i = 1/m for the m members whose answer is the team's, else 0
    before       I_i = sum over readers j of w_ij I_j,   w_ij = s_ij / sum over k of s_kj,   s = clip(rating / 5, 0, 1)
    credit       V(u) = I R    of the call that said the message, R what the team earned

A rating is what a reader thought of a message that it had read: the typed output of its reply has an attribute (in a
stored run, a field) `ratings`, sender -> 1 to 5, as `team.ranking.Rated` has it. Ratings that are missing count as the
mean of those given; where all are 0 or none was given, as after a reply that cannot be parsed, the weights are uniform.
The last layer is what was said in the last round and not read by another member in it. On layered teams the
importances of each layer add up to 1, so each layer shares out R; where no last answer is the team's (a failed run) all
are 0. No model is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from orchestra.answers import equal
from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.speech import read_by, said_in, spoken
from orchestra.credit.trie import check
from orchestra.digest import canonical
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Key, Message


def peer_importance(component: str = "task") -> Credit:
    """A rule that shares out what the team earned by what its members thought of each other, in runs without branches.

    Decisions whose words are no member's message have no value. The rule raises as `trie.check` does, and BadInput for
    a tree, whose messages belong to several runs.
    """
    config = canonical({"component": component})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        return [Table("peer_importance", config, _rows(scored, component)) for scored in batch]

    return credit


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


def _rows(scored: Scored, component: str) -> dict[Key, Annotation]:
    trajectory, shares = scored.trajectory, by_message(scored.trajectory)
    rows = {decision.key: Annotation(None) for decision in trajectory.decisions}
    reward = scored.rewards[0].get(component)
    for message in spoken(trajectory):
        decision = said_in(message, trajectory.decisions)
        if decision is not None and reward is not None:
            rows[decision.key] = Annotation(shares[message.id] * reward)
    return rows


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
