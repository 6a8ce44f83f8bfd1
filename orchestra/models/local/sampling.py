"""From logits to tokens: a row's token depends on its own logits, temperature and draw, never on its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from orchestra.types import EMPTY


class Sampled(NamedTuple):
    """One token a row, its log-probability over the whole vocabulary, and whether the model had a choice (1 or 0)."""

    tokens: list[int]
    logprobs: list[float]
    mask: list[int]


def sample(
    logits: Tensor, temperatures: Sequence[float], draws: Sequence[float], allowed: Mapping[int, Tensor] = EMPTY
) -> Sampled:
    """Inverse-CDF sampling of one token from each row of `logits` (R, V).

    `draws` are numbers of `noise.uniform`, one a row. Log-probabilities are log-softmax(logits / temperature) in
    float32; a row of temperature 0 takes its largest logit (the first of equals) and reports the log-probability at
    temperature 1. A row in `allowed` takes one of these tokens (V,), drawn from the softmax over them alone; its
    log-probability stays that of the whole vocabulary.
    """
    scaled = logits.float().div_(torch.tensor([t or 1.0 for t in temperatures], dtype=torch.float32)[:, None])
    top, mass = _mass(scaled)
    tokens = _drawn(scaled, mass, temperatures, draws)
    if held := list(allowed):
        left = scaled[held].masked_fill_(~torch.stack([allowed[row] for row in held]), -torch.inf)
        # A top of its own: what the grammar leaves may be so unlikely that beside the likeliest token it is 0.
        tokens[held] = _drawn(left, _mass(left)[1], [temperatures[row] for row in held], [draws[row] for row in held])
    logprobs = scaled.gather(1, tokens) - top - mass[:, -1:].log()
    mask = [1 if row not in allowed else int(allowed[row].count_nonzero() > 1) for row in range(len(tokens))]
    return Sampled(tokens[:, 0].tolist(), logprobs[:, 0].tolist(), mask)


def _mass(scaled: Tensor) -> tuple[Tensor, Tensor]:
    """Each row's largest entry (R, 1), and the cumulative sum (R, V) of exp(entry - largest), which ends with the
    softmax's denominator."""
    top = scaled.amax(-1, keepdim=True)
    return top, (scaled - top).exp_().cumsum_(-1)


def _drawn(scaled: Tensor, mass: Tensor, temperatures: Sequence[float], draws: Sequence[float]) -> Tensor:
    """(R, 1): where each row's cumulative mass passes its draw, or its largest entry at temperature 0."""
    aim = torch.tensor(draws, dtype=torch.float32) * mass[:, -1]
    tokens = torch.searchsorted(mass, aim[:, None], right=True)
    greedy = [row for row, t in enumerate(temperatures) if t == 0.0]
    if greedy:
        tokens[greedy, 0] = scaled[greedy].argmax(-1)
    return tokens
