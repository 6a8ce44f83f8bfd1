"""Matrix products of a fixed weight: laid out once for the kernels, and never run with fewer than two rows.

A lone row takes another code path in the matrix library and gets other low bits than the same row in company.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Multiply: TypeAlias = Callable[[Tensor], Tensor]
Add: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def at_least_two(multiply: Multiply, x: Tensor) -> Tensor:
    """`multiply(x)`, with a lone row of `x` (..., K) doubled for the product."""
    if x.numel() != x.shape[-1]:
        return multiply(x)
    return multiply(_doubled(x))[:1].view(*x.shape[:-1], -1)


def two_added(add: Add, x: Tensor, out: Tensor) -> Tensor:
    """`add(x, out)`, with a lone row doubled for the product."""
    if x.numel() != x.shape[-1]:
        return add(x, out)
    return add(_doubled(x), _doubled(out))[:1].view(out.shape)


def _doubled(x: Tensor) -> Tensor:
    return x.reshape(1, -1).expand(2, -1).contiguous()


def packed(weight: Tensor, bias: Tensor | None = None) -> Multiply:
    """x -> x @ weight.T + bias. In bfloat16 the weight is laid out once as oneDNN's kernels want it, which is up to
    twice as fast for small batches; on a processor or torch without those kernels it is an ordinary linear."""
    if weight.dtype is not torch.bfloat16 or not _has_bfloat16_kernels():
        return lambda x: F.linear(x, weight, bias)
    laid = torch.ops.mkldnn._reorder_linear_weight(weight, 64)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, laid, bias, "none", [], "")


def added(weight: Tensor) -> Add:
    """(x, out) -> out + x @ weight.T, laid out alike; in bfloat16 the sum is taken before it is rounded."""
    if weight.dtype is not torch.bfloat16 or not _has_bfloat16_kernels():
        return lambda x, out: out + F.linear(x, weight)
    laid = torch.ops.mkldnn._reorder_linear_weight(weight, 64)
    return lambda x, out: torch.ops.mkldnn._linear_pointwise.binary(x, out, laid, None, "add")


def _has_bfloat16_kernels() -> bool:
    needed = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
    return all(hasattr(torch.ops.mkldnn, name) for name in needed) and torch.ops.mkldnn._is_mkldnn_bf16_supported()
