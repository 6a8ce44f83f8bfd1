"""The surrogate as a case by case loop over tokens, in Python's floats, with its gradient worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from random import Random
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor

from orchestra.learning.rl.settings import Ratio
from orchestra.learning.rl.surrogate import Terms, importance, policy_loss


class Said(NamedTuple):
    """A row of a micro-batch: its sampled tokens, in order."""

    now: list[float]
    old: list[float]
    sampled: list[float]
    reference: list[float]
    advantages: list[float]
    weight: float


class Way(NamedTuple):
    """The settings of the objective."""

    ratio: Ratio = "token"
    low: float = 0.2
    high: float = 0.28
    dual: float | None = 3.0
    cap: float | None = None
    kl: float = 0.0


class Twin(NamedTuple):
    """What `policy_loss` and its backward pass are to give."""

    loss: float
    gradient: list[float]
    clipped: int
    approx_kl: float
    tokens: int


def said(lengths: Sequence[int], seed: int = 0, spread: float = 0.5) -> list[Said]:
    """Rows of these lengths whose log-probabilities have moved by about `spread`; a fifth of the rows have A = 0."""
    random = Random(seed)

    def row(length: int) -> Said:
        old = [-random.expovariate(0.5) for _ in range(length)]
        moved = ([value + random.gauss(0, spread) for value in old] for _ in range(3))
        now, sampled, reference = moved
        alike = random.random() < 0.2
        advantages = [0.0 if alike else random.gauss(0, 1) for _ in range(length)]
        return Said(now, old, sampled, reference, advantages, random.uniform(0.01, 0.2))

    return [row(length) for length in lengths]


def batches() -> st.SearchStrategy[list[Said]]:
    """Any shape, rows without tokens and batches without rows too; steps from small ones to far beyond the bound."""
    lengths = st.lists(st.integers(0, 6), max_size=6)
    return st.builds(said, lengths, st.integers(0, 2**32), st.sampled_from([0.01, 0.5, 8.0]))


def ways() -> st.SearchStrategy[Way]:
    return st.builds(
        Way,
        ratio=st.sampled_from(["token", "turn", "action"]),
        low=st.sampled_from([0.1, 0.2]),
        high=st.sampled_from([0.2, 0.28]),
        dual=st.sampled_from([None, 3.0]),
        cap=st.sampled_from([None, 2.0]),
        kl=st.sampled_from([0.0, 0.1]),
    )


def flat(rows: Sequence[Said]) -> dict[str, Any]:
    """The arguments of `policy_loss` that rows make, in fp64; `logprobs` takes a gradient."""

    def tensor(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    return {
        "logprobs": tensor([value for row in rows for value in row.now]).requires_grad_(),
        "old": tensor([value for row in rows for value in row.old]),
        "advantages": tensor([value for row in rows for value in row.advantages]),
        "weights": tensor([row.weight for row in rows for _ in row.now]),
        "rows": torch.tensor([number for number, row in enumerate(rows) for _ in row.now], dtype=torch.int64),
        "count": len(rows),
        "reference": tensor([value for row in rows for value in row.reference]),
    }


def terms(rows: Sequence[Said], way: Way) -> tuple[Terms, Tensor]:
    """What `policy_loss` gives, and its gradient by the log-probabilities."""
    arguments = flat(rows)
    sampled = torch.tensor([value for row in rows for value in row.sampled], dtype=torch.float64)
    capped = None if way.cap is None else importance(arguments["old"] - sampled, way.cap)
    found = policy_loss(
        **arguments, ratio=way.ratio, low=way.low, high=way.high, dual=way.dual, importance=capped, kl=way.kl
    )
    (gradient,) = torch.autograd.grad(found.loss, arguments["logprobs"])
    return found, gradient


def twin(rows: Sequence[Said], way: Way) -> Twin:
    """All of it token by token."""
    loss, kl, stopped, gradient = 0.0, 0.0, 0, []
    for row in rows:
        slopes = [0.0] * len(row.now)
        for at in range(len(row.now)):
            log, moves = _log(row, at, way.ratio)
            height, free = _objective(log, row.advantages[at], way)
            weight = row.weight * (1.0 if way.cap is None else min(exp(row.old[at] - row.sampled[at]), way.cap))
            away = max(-20.0, min(20.0, row.reference[at] - row.now[at]))
            loss += way.kl * row.weight * (exp(away) - away - 1) - weight * height
            if abs(away) < 20:
                slopes[at] += way.kl * row.weight * (1 - exp(away))
            for other, slope in enumerate(moves):
                slopes[other] -= weight * exp(log) * row.advantages[at] * slope if free else 0.0
            kl += exp(log) - 1 - log
            stopped += not free
        gradient += slopes
    return Twin(loss, gradient, stopped, kl, len(gradient))


def _log(row: Said, at: int, ratio: Ratio) -> tuple[float, list[float]]:
    """The log-ratio that stands at a token, and its slope by the log-probability of each token of the row."""
    logs = [now - old for now, old in zip(row.now, row.old, strict=True)]
    if ratio == "token":
        value, slopes = logs[at], [float(other == at) for other in range(len(logs))]
    elif ratio == "turn":
        value, slopes = sum(logs) / len(logs), [1 / len(logs)] * len(logs)
    else:
        value, slopes = sum(logs), [1.0] * len(logs)
    if abs(value) < 20:
        return value, slopes
    return (20.0 if value > 0 else -20.0), [0.0] * len(logs)


def _objective(log: float, advantage: float, way: Way) -> tuple[float, bool]:
    """J, and whether it still moves with the ratio."""
    ratio = exp(log)
    if advantage > 0 and ratio > 1 + way.high:
        return (1 + way.high) * advantage, False
    if advantage < 0 and ratio < 1 - way.low:
        return (1 - way.low) * advantage, False
    if advantage < 0 and way.dual is not None and ratio > way.dual:
        return way.dual * advantage, False
    return ratio * advantage, True
