"""Verdict correctness: a verifier earns whether its verdict was right, not what came of it (MarsRL, arXiv 2511.11373;
"conditional quality" of MAPoRL and MARTI).

    V(u) = 1 if the verdict that u gives on a proposal says what the proposal is, right or wrong, else 0

The proposal is the last message with an answer in what the verifier saw. A verdict that cannot be read is wrong; where
nothing was proposed, or it cannot be scored, and for all other roles, V is None. The advantage is that among the draws
of a state (`group_relative.relative`, scale none).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.group_relative import relative
from orchestra.credit.trie import state_groups
from orchestra.digest import canonical
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Key, Message, Task

Judge = Callable[[Task, str], float | None]
"""Whether the words of a proposal answer a task rightly: 1.0 or 0.0, None where that is not known."""


def verdict(read: Callable[[str], bool | None], right: Judge, roles: Collection[str] = ("verifier",)) -> Credit:
    """A rule that pays `roles` for verdicts: `read` gives the verdict in a text, None where there is none."""
    config = canonical({"roles": sorted(roles)})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        return [Table("verdict", config, _rows(scored, read, right, roles)) for scored in batch]

    return credit


def _rows(
    scored: Scored, read: Callable[[str], bool | None], right: Judge, roles: Collection[str]
) -> dict[Key, Annotation]:
    trajectory, values = scored.trajectory, dict[Key, float]()
    said = {message.id: message for message in trajectory.messages}
    for decision in trajectory.decisions:
        truth = _proposed(decision, trajectory, said, right) if decision.role in roles else None
        if truth is not None and decision.completion is not None:
            values[decision.key] = float(read(decision.completion.text) == (truth == 1.0))
    groups, among = state_groups(scored), defaultdict[str, list[Key]](list)
    for key in values:
        among[key.state].append(key)
    rows = {key: Annotation(values.get(key), group=group) for key, group in groups.items()}
    for keys in among.values():
        for key, advantage in zip(keys, relative([values[key] for key in keys]), strict=True):
            rows[key] = rows[key]._replace(advantage=advantage)
    return rows


def _proposed(decision: Decision, trajectory: Trajectory, said: dict[str, Message], right: Judge) -> float | None:
    for name in reversed(decision.saw):
        message = said.get(name)
        if message is not None and message.answer is not None:
            return right(trajectory.task, message.content)
    return None
