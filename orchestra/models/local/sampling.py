"""From logits to tokens: a row's token depends on its own logits, temperature and draw, never on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Sampled(NamedTuple):
    """One token a row, and its log-probability over the whole vocabulary."""

    tokens: list[int]
    logprobs: list[float]


def sample(logits: Tensor, temperatures: Sequence[float], draws: Sequence[float]) -> Sampled:
    """Inverse-CDF sampling of one token from each row of `logits` (R, V), nothing truncated.

    `draws` are numbers of `noise.uniform`, one a row. Log-probabilities are log-softmax(logits / temperature) in
    float32; a row of temperature 0 takes its largest logit (the first of equals) and reports the log-probability at
    temperature 1.
    """
    scaled = logits.float().div_(torch.tensor([t or 1.0 for t in temperatures], dtype=torch.float32)[:, None])
    top = scaled.amax(-1, keepdim=True)
    mass = (scaled - top).exp_().cumsum_(-1)  # unnormalised: its last entry is the softmax's denominator
    aim = torch.tensor(draws, dtype=torch.float32) * mass[:, -1]
    tokens = torch.searchsorted(mass, aim[:, None], right=True)
    greedy = [row for row, t in enumerate(temperatures) if t == 0.0]
    if greedy:
        tokens[greedy, 0] = logits[greedy].argmax(-1)
    logprobs = scaled.gather(1, tokens) - top - mass[:, -1:].log()
    return Sampled(tokens[:, 0].tolist(), logprobs[:, 0].tolist())
