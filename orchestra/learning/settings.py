"""What a person may set about a fit, and what the launcher has. No torch here: wrong options are refused at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import isfinite

from orchestra.errors import BadInput


@dataclass(frozen=True, slots=True)
class Settings:
    """How to fit; each default is written here and nowhere else."""

    epochs: int = 2
    lr: float = 3e-4
    """Peak learning rate of AdamW; falls linearly to 0. LoRA wants some ten times that of full weights."""
    rank: int = 16
    """Of the LoRA update; alpha is twice that."""
    batch: int = 8
    """Rows of one optimiser step, over all processes."""
    max_tokens_per_step: int = 4096
    """Most tokens, padding included, in one forward pass of one process; more rows are accumulated."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "lr", "rank", "batch", "max_tokens_per_step"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise BadInput(f"expected --{name.replace('_', '-')} > 0, got {value!r}")


def processes() -> tuple[int, int]:
    """(rank of this process, how many there are), as `accelerate launch` and `torchrun` say it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
