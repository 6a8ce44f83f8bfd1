"""One matrix product of a fixed weight: laid out once for the kernels, and never run with fewer than two rows.

A lone row takes another code path in the matrix library and gets other low bits than the same row in company.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def at_least_two(multiply: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`multiply(x)`, with a lone row of `x` (..., K) doubled for the product."""
    if x.numel() != x.shape[-1]:
        return multiply(x)
    return multiply(x.reshape(1, -1).expand(2, -1).contiguous())[:1].view(*x.shape[:-1], -1)


def packed(weight: Tensor, bias: Tensor | None = None) -> Callable[[Tensor], Tensor]:
    """x -> x @ weight.T + bias. In bfloat16 the weight is laid out once as oneDNN's kernels want it, which is up to
    twice as fast for small batches; on a processor or torch without those kernels it is an ordinary linear."""
    if weight.dtype is not torch.bfloat16 or not _has_bfloat16_kernels():
        return lambda x: F.linear(x, weight, bias)
    laid = torch.ops.mkldnn._reorder_linear_weight(weight, 64)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, laid, bias, "none", [], "")


def _has_bfloat16_kernels() -> bool:
    needed = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
    return all(hasattr(torch.ops.mkldnn, name) for name in needed) and torch.ops.mkldnn._is_mkldnn_bf16_supported()
