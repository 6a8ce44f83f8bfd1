"""Losses as pure functions of tensors: what they sum and what they divide by is in the arguments, nothing else is.

Every sum over a micro-batch is divided by a number of the whole optimiser step, so that gradients of micro-batches
and of processes add up to that of the step. Shapes: N scored tokens, H hidden size, V vocabulary, B pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

CHUNK = 512
"""Scored tokens whose logits are kept for the backward pass: 512 of 49,152 in fp32 are 100 MB."""


def token_logprobs(
    hidden: Tensor,
    head: Callable[[Tensor], Tensor],
    targets: Tensor,
    *,
    temperature: float = 1.0,
    chunk: int = CHUNK,
) -> Tensor:
    """log-softmax(head(hidden) / temperature) at `targets`, in fp32: hidden (N, H), targets (N,) -> (N,).

    `hidden` holds scored positions alone, so the head never sees the others. More than `chunk` of them are projected
    in pieces, whose logits are made again in the backward pass; values and gradients are those of one piece.

    >>> float(token_logprobs(torch.zeros(1, 3), torch.nn.Linear(3, 4, bias=False), torch.tensor([2])).detach().exp())
    0.25
    """

    def of(part: Tensor, wanted: Tensor) -> Tensor:
        logits = head(part).float() / temperature
        return logits.gather(-1, wanted[:, None]).squeeze(-1) - logits.logsumexp(-1)

    if len(targets) <= chunk:
        return of(hidden, targets)
    pieces = zip(torch.split(hidden, chunk), torch.split(targets, chunk), strict=True)
    return torch.cat([checkpoint(of, *piece, use_reentrant=False) for piece in pieces])


def sft(logprobs: Tensor, weights: Tensor, total: float) -> Tensor:
    """- sum_k w_k log p_k / total: logprobs (N,), weights (N,) -> ().

    `total` counts the labelled tokens of the whole step, all micro-batches and processes together, weights aside.
    """
    return -(weights * logprobs).sum() / total


def row_sums(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """Sums of the values of each row: values (N,), rows (N,) in 0..count-1 -> (count,). A sum, not a mean."""
    return values.new_zeros(count).index_add(0, rows, values)


def margins(chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor) -> Tensor:
    """h+ - h-, where h is log p(reply) under the policy less that under the reference; all (B,), sums over tokens."""
    return (chosen - ref_chosen) - (rejected - ref_rejected)


def dpo(chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, *, beta: float) -> Tensor:
    """-log sigmoid(beta (h+ - h-)) of each pair (Rafailov et al. 2023, arXiv 2305.18290): all (B,).

    ln 2 where policy and reference are one; d/dh+ is there -beta/2.
    """
    return -F.logsigmoid(beta * margins(chosen, rejected, ref_chosen, ref_rejected))


def rpo(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    *,
    beta: float,
    alpha: float,
    prompt_tokens: Tensor,
    chosen_tokens: Tensor,
    norm: Literal["completion", "full"] = "full",
) -> Tensor:
    """DPO and the likelihood of the chosen reply, of each pair: dpo - alpha log p(y+) / length, all (B,).

    The length is that of the reply ("completion"; Pang et al. 2024, arXiv 2404.19733), or of prompt and reply
    ("full", as Optima has it, arXiv 2410.08115).
    """
    length = chosen_tokens if norm == "completion" else prompt_tokens + chosen_tokens
    return dpo(chosen, rejected, ref_chosen, ref_rejected, beta=beta) - alpha * chosen / length
