"""Step-level preference pairs: two draws from the very same state, of which one came to more (MALT, arXiv 2412.01928;
Optima, arXiv 2410.08115).

    candidates   siblings u+, u-: V(u+) > over, V(u+) - V(u-) >= gap, edit distance of their words >= distance, and
                 what `judge` labels good for u+ and not good for u-
    of a state   best_worst: the largest gap; all: by gap; random: by chance, the control of the other two
    of all       the share `keep` of highest chosen value, or by chance

Pairs share the ids of their prompt, token by token. Public code that ranks by a stale value, or pairs replies to
different prompts, learns something else; the largest gap is not always the best pair (arXiv 2502.00955 finds it worse
than chance), so measure beside `random`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Literal

from orchestra.credit.credit import Annotation, Table
from orchestra.credit.edit import edit_distance
from orchestra.credit.labels import ROUNDING, label
from orchestra.digest import digest
from orchestra.errors import BadData, BadInput
from orchestra.learning.row import IGNORED, Encoder, Row, row_of
from orchestra.learning.rows import dropped
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Key

Select = Literal["best_worst", "all", "random"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two continuations of one prompt."""

    run: str
    """Id of the trajectory."""
    chosen: Key
    rejected: Key
    role: str
    policy: str
    """Name of the policy, without its version."""
    task: str
    """`content` of the task's prompt."""
    prompt_ids: tuple[int, ...]
    chosen_ids: tuple[int, ...]
    rejected_ids: tuple[int, ...]
    chosen_mask: tuple[int, ...]
    """1 where the policy sampled the token, 0 where a grammar forced it."""
    rejected_mask: tuple[int, ...]
    chosen_value: float
    rejected_value: float
    source: Literal["sampled", "reencoded"] = "sampled"

    @property
    def gap(self) -> float:
        return self.chosen_value - self.rejected_value


@dataclass(frozen=True, slots=True)
class Choosing:
    """Which siblings make pairs; each default is written here and nowhere else."""

    over: float = 0.5
    """The chosen one's value is strictly higher."""
    gap: float = 0.2
    """Least difference of values."""
    distance: float = 0.1
    """Least edit distance of the two texts."""
    select: Select = "best_worst"
    per_state: int = 1
    """Most pairs of one state."""
    per_task: int | None = None
    """Most pairs of one task and policy, those of highest chosen value."""
    keep: float = 1.0
    """Share of all pairs of a policy that stay; with `random` by chance."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.gap >= 0 and self.distance >= 0 and self.per_state >= 1 and 0 < self.keep <= 1):
            raise BadInput(f"expected gap, distance >= 0, per_state >= 1 and 0 < keep <= 1, got {self}")
        if self.per_task is not None and self.per_task < 1:
            raise BadInput(f"expected --per-task >= 1, got {self.per_task}")


def preference_pairs(
    batch: Iterable[Trajectory],
    values: Iterable[Table],
    choosing: Choosing | None = None,
    *,
    roles: Collection[str] | None = None,
    judge: Callable[[Annotation], bool | None] | None = None,
    encoder: Encoder | None = None,
) -> list[Pair]:
    """The pairs of a batch, in its order; `values` has one table a trajectory. `judge` is `label` at the threshold,
    unless `confident` or another is given; what it has no label for makes no pair. Equal pairs count once.

    Raises BadData where ids are unknown and no `encoder` is given, or where siblings do not share a prompt.
    """
    how = choosing or Choosing()
    good = judge or (lambda row: label(row, how.over))
    found: dict[object, Pair] = {}
    for trajectory, table in zip(batch, values, strict=True):
        for state, siblings in _states(trajectory, roles).items():
            wanted = _wanted(siblings, table, how, good)
            for up, down in _of_state(wanted, state, trajectory.id, table, how):
                pair = _pair(trajectory, up, down, table, encoder)
                found.setdefault((pair.policy, pair.prompt_ids, pair.chosen_ids, pair.rejected_ids), pair)
    return _kept(_capped(list(found.values()), how), how)


def _states(trajectory: Trajectory, roles: Collection[str] | None) -> dict[str, list[Decision]]:
    """Draws that can be learnt from, by state."""
    found = defaultdict[str, list[Decision]](list)
    for decision in trajectory.decisions:
        said = decision.completion
        if (roles is None or decision.role in roles) and said is not None and said.finish != "cancelled":
            found[decision.key.state].append(decision)
    return {state: draws for state, draws in found.items() if len(draws) > 1}


def _wanted(
    siblings: Sequence[Decision], table: Table, how: Choosing, good: Callable[[Annotation], bool | None]
) -> list[tuple[Decision, Decision]]:
    rows = {decision.key: table.rows.get(decision.key, Annotation(None)) for decision in siblings}
    found = []
    for up, down in product(siblings, siblings):
        high, low = rows[up.key].value, rows[down.key].value
        if high is None or low is None or dropped(up, high, over=how.over) is not None:
            continue
        far_apart = high - low >= how.gap - ROUNDING and high - low > ROUNDING
        if far_apart and good(rows[up.key]) is True and good(rows[down.key]) is False and _differ(up, down, how):
            found.append((up, down))
    return found


def _differ(up: Decision, down: Decision, how: Choosing) -> bool:
    assert up.completion is not None
    assert down.completion is not None
    return edit_distance(up.completion.text, down.completion.text) >= max(how.distance, ROUNDING)


def _of_state(
    pairs: Sequence[tuple[Decision, Decision]], state: str, run: str, table: Table, how: Choosing
) -> Sequence[tuple[Decision, Decision]]:
    if how.select == "random":
        rng = Random(digest(str(how.seed), run, state))
        return rng.sample(list(pairs), min(how.per_state, len(pairs)))
    best = sorted(pairs, key=lambda pair: -(_value(table, pair[0]) - _value(table, pair[1])))
    return best[: how.per_state if how.select == "all" else 1]


def _value(table: Table, decision: Decision) -> float:
    value = table.rows[decision.key].value
    assert value is not None
    return value


def _pair(trajectory: Trajectory, up: Decision, down: Decision, table: Table, encoder: Encoder | None) -> Pair:
    high, low = row_of(trajectory, up, encoder), row_of(trajectory, down, encoder)
    prompt, chosen, mask = _split(high, up)
    other, rejected, other_mask = _split(low, down)
    if prompt != other:
        raise BadData(
            f"trajectory {trajectory.id}: expected siblings of {up.path!r} to share a prompt, got two; "
            "fix: collect again, since the record is not of one run"
        )
    return Pair(
        trajectory.id, up.key, down.key, high.role, high.policy, high.task, prompt, chosen, rejected, mask, other_mask,
        _value(table, up), _value(table, down), high.source,
    )  # fmt: skip


def _split(row: Row, decision: Decision) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Prompt, output and mask of a row of one decision."""
    said = decision.completion
    assert said is not None
    exact = said.prompt_ids is not None and said.output_ids is not None
    first = len(said.prompt_ids or ()) if exact else next(i for i, x in enumerate(row.labels) if x != IGNORED)
    mask = tuple(int(label != IGNORED) for label in row.labels[first:])
    return row.input_ids[:first], row.input_ids[first:], mask


def _capped(pairs: Sequence[Pair], how: Choosing) -> list[Pair]:
    if how.per_task is None:
        return list(pairs)
    taken, best = Counter[tuple[str, str]](), set[int]()
    for at in _ranked(pairs, how):
        name = pairs[at].policy, pairs[at].task
        taken[name] += 1
        if taken[name] <= how.per_task:
            best.add(at)
    return [pair for at, pair in enumerate(pairs) if at in best]


def _kept(pairs: Sequence[Pair], how: Choosing) -> list[Pair]:
    """The share that stays of each policy, rounded up; in the order given."""
    numbers, taken, best = Counter(pair.policy for pair in pairs), Counter[str](), set[int]()
    for at in _ranked(pairs, how):
        policy = pairs[at].policy
        taken[policy] += 1
        if taken[policy] <= max(1, -int(-numbers[policy] * how.keep // 1)):
            best.add(at)
    return [pair for at, pair in enumerate(pairs) if at in best]


def _ranked(pairs: Sequence[Pair], how: Choosing) -> list[int]:
    """Places by chosen value, the earlier of equals first; with `random` shuffled."""
    if how.select == "random":
        return Random(digest(str(how.seed), "keep")).sample(range(len(pairs)), len(pairs))
    return sorted(range(len(pairs)), key=lambda at: -pairs[at].chosen_value)
