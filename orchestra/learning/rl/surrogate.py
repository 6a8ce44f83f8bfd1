"""What PPO and GRPO climb, token by token, as pure functions of tensors: sums only, so that micro-batches add up.

Tensors are (M,) over the sampled tokens of all rows of a micro-batch, in fp32; `rows` names each token's row, 0 to
count - 1. What a token's weight divides by is a number of the whole optimiser step (`normalise.weights`): any cut of
its rows into micro-batches and processes has the same loss, gradient and figures in sum. A row is never cut itself.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from orchestra.learning.losses import row_sums
from orchestra.learning.rl.settings import Ratio

BOUND = 20.0
"""Log-ratios are cut to +-20, where exp still is a number to reckon with (4.9e8)."""


class Terms(NamedTuple):
    """Loss of a micro-batch, and sums over its tokens to be told of; all (), figures without gradient."""

    loss: Tensor
    clipped: Tensor
    """Tokens whose objective no longer moves with the ratio."""
    approx_kl: Tensor
    """Sum of rho - 1 - log rho at the level of the ratio, at each token: divided by `tokens`, at level `token` an
    estimate of KL(old || now), never below 0."""
    tokens: Tensor


def log_ratio(logprobs: Tensor, old: Tensor, rows: Tensor, count: int, level: Ratio) -> Tensor:
    """log pi(y) - log pi_old(y) of what each token belongs to, cut to +-20: a row's value stands at each of its tokens.

    The same value at K tokens has K times the weight: `turn`, a mean, then moves as far as `token` does; `action`, a
    sum, moves K times as far, so its weights are to be those of "sequence" if an action is to count once.

    >>> log_ratio(torch.tensor([-1.0, -2.0]), torch.tensor([-2.0, -4.0]), torch.tensor([0, 0]), 1, "turn").tolist()
    [1.5, 1.5]
    """
    logs = logprobs - old
    if level != "token":
        logs = row_sums(logs, rows, count)[rows]
    if level == "turn":
        logs = logs / row_sums(torch.ones_like(logs), rows, count)[rows]
    return logs.clamp(-BOUND, BOUND)


def clipped(log_ratio: Tensor, advantages: Tensor, low: float, high: float, dual: float | None) -> Tensor:
    """J = min(rho A, clip(rho, 1 - low, 1 + high) A), and where A < 0 no less than dual A: all (M,).

    PPO (arXiv 1707.06347) with a wider way up (DAPO, arXiv 2503.14476) and the dual clip (arXiv 1912.09729), without
    which an unlikely bad token that becomes likely has a loss without bound. dual > 1, or None: off.

    >>> clipped(torch.tensor([2.0, 2.0]).log(), torch.tensor([1.0, -1.0]), 0.2, 0.25, 1.5).tolist()
    [1.25, -1.5]
    """
    ratio = log_ratio.exp()
    least = torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)
    return least if dual is None else torch.where(advantages < 0, torch.maximum(least, dual * advantages), least)


def k3(logprobs: Tensor, reference: Tensor) -> Tensor:
    """exp(d) - d - 1, d = log pi_ref - log pi, cut to +-20: (M,), never below 0; its mean estimates KL(pi || pi_ref).

    >>> k3(torch.tensor([-1.0]), torch.tensor([-1.0])).tolist()
    [0.0]
    """
    return _excess((reference - logprobs).clamp(-BOUND, BOUND))


@torch.no_grad()
def importance(log_ratio: Tensor, cap: float) -> Tensor:
    """min(pi_old / pi_sampler, cap), without gradient: how far the trainer's numbers are from those that sampled.

    `log_ratio` is of the trainer's log-probabilities before the step to those that the sampler recorded, at the level
    at which ratios are clipped.

    >>> importance(torch.tensor([0.0, 8.0]), 2.0).tolist()
    [1.0, 2.0]
    """
    return log_ratio.exp().clamp(max=cap)


def policy_loss(
    logprobs: Tensor,
    old: Tensor,
    advantages: Tensor,
    weights: Tensor,
    rows: Tensor,
    count: int,
    *,
    ratio: Ratio,
    low: float,
    high: float,
    dual: float | None,
    importance: Tensor | None = None,
    reference: Tensor | None = None,
    kl: float = 0.0,
) -> Terms:
    """- sum_k w_k importance_k J_k + kl sum_k w_k k3_k, with gradient by `logprobs` alone.

    Where pi is pi_old the gradient is that of - sum_k w_k importance_k A_k log pi_k (REINFORCE; at level `action` times
    the tokens of the row). Raises ValueError for a `kl` that has no `reference`.
    """
    logs = log_ratio(logprobs, old, rows, count, ratio)
    objective = clipped(logs, advantages, low, high, dual)
    loss = -(weights * objective if importance is None else weights * importance * objective).sum()
    if kl:
        if reference is None:
            raise ValueError(f"expected reference log-probabilities for kl={kl}, got None; fix: pass them, or kl=0")
        loss = loss + kl * (weights * k3(logprobs, reference)).sum()
    with torch.no_grad():
        stopped = objective != logs.exp() * advantages
        return Terms(loss, stopped.sum(), _excess(logs).sum(), torch.tensor(len(logs), device=logs.device))


def value_loss(
    values: Tensor, old: Tensor, returns: Tensor, weights: Tensor, *, clip: float, delta: float = 10.0
) -> Tensor:
    """sum_k w_k 1/2 max(H(V - G), H(V' - G)), V' = V no further than `clip` from old V, H = Huber: (M,) each -> ().

    H(e) = e^2 / 2 up to `delta` and delta (|e| - delta / 2) beyond, as in MARFT; clip = inf: V' = V.
    """
    near = old + (values - old).clamp(-clip, clip)
    far, kept = (F.huber_loss(each, returns, reduction="none", delta=delta) for each in (values, near))
    return (weights * torch.maximum(far, kept)).sum() / 2


def _excess(logs: Tensor) -> Tensor:
    """exp(x) - 1 - x; expm1, because near 0 the sum in fp32 would lose all but a digit."""
    return logs.expm1() - logs
