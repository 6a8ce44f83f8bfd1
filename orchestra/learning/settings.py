"""What a person may set about a fit, and what the launcher has. No torch here: wrong options are refused at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from orchestra.errors import BadInput, UnknownName

Trainer = Literal["packed", "trl"]
"""packed: our collator, loss and loop; trl: TRL's SFTTrainer or DPOTrainer."""
Precision = Literal["bf16", "fp32"]
Tracker = Literal["none", "tensorboard"]
CHOICES = {"trainer": get_args(Trainer), "precision": get_args(Precision), "report_to": get_args(Tracker)}
SEEDS = 2**32
"""Seeds are below; numpy, which TRL seeds too, takes no more."""


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
    """Most tokens in one forward pass of one process, padding included where there is any; more are accumulated."""
    seed: int = 0
    trainer: Trainer = "packed"
    precision: Precision = "bf16"
    """Of the frozen base; the adapter and its optimiser are fp32 in either. Slow in bf16 without avx512_bf16."""
    save_every: int = 100
    """Optimiser steps between checkpoints, of the packed trainer; 0: none."""
    report_to: Tracker = "none"

    def __post_init__(self) -> None:
        for name in ("epochs", "lr", "rank", "batch", "max_tokens_per_step"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise BadInput(f"expected --{name.replace('_', '-')} > 0, got {value!r}")
        if self.save_every < 0:
            raise BadInput(f"expected --save-every >= 0, got {self.save_every!r}")
        if not 0 <= self.seed < SEEDS:
            raise BadInput(f"expected 0 <= --seed < 2**32, got {self.seed!r}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise UnknownName(f"--{name.replace('_', '-')}", getattr(self, name), known)


def processes() -> tuple[int, int]:
    """(rank of this process, how many there are), as `accelerate launch` and `torchrun` say it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
