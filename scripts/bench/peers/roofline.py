"""What this machine can do at most: bytes of memory read a second, products in bf16 and in int8 a second.

    python roofline.py THREADS

Prints one JSON object: the best of several tries, each large enough to be past all overheads.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import torch

SIDE = 2048
"""Of the square matrices: three of them are larger than a core's own caches."""
READ = 1 << 28
"""Bytes that are summed: larger than any cache."""


def best(work: Callable[[], object], tries: int = 7) -> float:
    """Seconds of the quickest try."""
    took = []
    for _ in range(tries):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def measure() -> dict[str, float]:
    memory = torch.ones(READ // 8, dtype=torch.int64)
    x, w = (torch.randn(SIDE, SIDE).bfloat16() for _ in range(2))
    small, other = (torch.randint(-127, 127, (SIDE, SIDE), dtype=torch.int8) for _ in range(2))
    products = 2 * SIDE**3
    with torch.inference_mode():
        return {
            "bandwidth": READ / best(memory.sum),
            "bf16": products / best(lambda: x @ w),
            "int8": products / best(lambda: torch._int_mm(small, other)),
        }


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps(measure()))
