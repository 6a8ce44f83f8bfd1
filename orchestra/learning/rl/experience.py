"""What policies learn from: decisions with exact ids, the sampler's log-probabilities, and what they were worth.

Other agents' words, tools' and a grammar's tokens are context and never learnt from. What has no exact ids, or was
sampled from a distribution that was cut (top-k, top-p, a grammar), has no log-probability to correct and is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestra.credit import Scored, Table, leaf_masses
from orchestra.errors import BadData
from orchestra.learning.packing import labelled
from orchestra.learning.row import Row, row_of, sampled
from orchestra.trajectory.trajectory import Decision
from orchestra.types import Key

NOTHING: Final[Mapping[Key, float]] = {}


@dataclass(frozen=True, slots=True)
class Experience:
    """One decision."""

    row: Row
    agent: str
    round: int
    logprobs: tuple[float, ...]
    """The sampler's, of each labelled token, at `temperature`."""
    temperature: float
    mass: float
    """How much of a rollout it stands for (`credit.mass`)."""
    advantage: float | None = None
    """None: no rule gave one, so it teaches nothing without a critic."""
    local: float = 0.0
    """Reward that is its own."""

    @property
    def tokens(self) -> int:
        return labelled(self.row)


@dataclass(frozen=True, slots=True)
class Path:
    """A leaf: its decisions that are learnt from, in order, and what the team earned at its end."""

    places: tuple[int, ...]
    """Among the experiences of the batch."""
    reward: float
    mass: float = 1.0
    """Its chance among the leaves of its tree (`credit.leaf_masses`)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from."""

    experiences: tuple[Experience, ...]
    paths: tuple[Path, ...]
    left_out: int = 0
    """Decisions of learning policies that failed, were cut off from outside, or chose among scored options."""


def batch_of(
    scored: Sequence[Scored],
    tables: Sequence[Table],
    masses: Sequence[Mapping[Key, float]],
    policies: Collection[str],
    *,
    component: str = "task",
    local: Sequence[Mapping[Key, float]] | None = None,
) -> Batch:
    """The decisions of these policies. `tables`, `masses` and `local` have one entry a trajectory, in order.

    Raises BadData for decisions whose log-probabilities are not known or not those of the whole distribution.
    """
    found: list[Experience] = []
    paths: list[Path] = []
    left_out = 0
    for at, (trajectory, rewards) in enumerate(scored):
        places: dict[Key, int] = {}
        own = local[at] if local is not None else NOTHING
        for decision in trajectory.decisions:
            if (decision.policy.rpartition("@")[0] or decision.policy) not in policies:
                continue
            if not _sampled(decision):
                left_out += 1
                continue
            _check(decision, trajectory.id)
            places[decision.key] = len(found)
            row = tables[at].rows.get(decision.key)
            found.append(
                Experience(
                    row_of(trajectory, decision, None),
                    decision.agent,
                    decision.round,
                    _logprobs(decision),
                    decision.request.temperature,
                    masses[at].get(decision.key, 0.0),
                    row.advantage if row is not None else None,
                    own.get(decision.key, 0.0),
                )
            )
        for leaf, earned, mass in zip(trajectory.leaves, rewards, leaf_masses(trajectory), strict=True):
            reward = earned.get(component)
            if reward is not None:
                paths.append(Path(tuple(places[key] for key in leaf.taken if key in places), reward, mass))
    return Batch(tuple(found), tuple(paths), left_out)


def with_advantages(batch: Batch, advantages: Sequence[float | None]) -> Batch:
    """The batch with other advantages, one an experience."""
    changed = zip(batch.experiences, advantages, strict=True)
    return replace(batch, experiences=tuple(replace(each, advantage=value) for each, value in changed))


def _sampled(decision: Decision) -> bool:
    said = decision.completion
    return (
        said is not None
        and said.finish != "cancelled"
        and not decision.request.options
        and (said.output_ids is None or any(sampled(decision)))
    )


def _check(decision: Decision, run: str) -> None:
    said = decision.completion
    assert said is not None
    where = f"trajectory {run}: {decision.path}@{decision.round}"
    if said.prompt_ids is None or said.output_ids is None or said.logprobs is None:
        raise BadData(f"{where}: expected token ids and log-probabilities, got text alone; fix: a local model")
    if said.truncated:
        raise BadData(
            f"{where}: expected tokens drawn from the whole distribution, got one that was cut; fix: no grammar, top-k "
            "or top-p in roles that learn"
        )
    if decision.request.temperature <= 0:
        raise BadData(f"{where}: expected sampled tokens, got greedy ones; fix: --temperature 1")


def _logprobs(decision: Decision) -> tuple[float, ...]:
    said = decision.completion
    assert said is not None
    assert said.logprobs is not None
    return tuple(value for value, mask in zip(said.logprobs, sampled(decision), strict=True) if mask)
