"""What a person may set about learning from pairs. No torch here: wrong options are refused at once."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, get_args

from orchestra.errors import BadInput, UnknownName
from orchestra.learning.settings import Settings

Norm = Literal["completion", "full"]
NORMS: Final = get_args(Norm)

FITTING: Final = Settings(epochs=1, lr=5e-5)
"""Of a fit to pairs, where nothing else is said: a step of DPO is small, or the reply is unlearnt with its sibling."""


@dataclass(frozen=True, slots=True)
class Preference:
    """The loss of pairs; each default is written here and nowhere else."""

    beta: float = 0.2
    """How dear a shift from the reference is (MALT's value); the optimum is pi ~ pi_ref exp(value / beta)."""
    alpha: float = 0.0
    """Weight of the chosen reply's own likelihood: 0 is DPO, above it RPO (Optima takes 1)."""
    norm: Norm = "full"
    """What that is divided by: tokens of the reply ("completion"), or of prompt and reply ("full", as in Optima)."""

    def __post_init__(self) -> None:
        if not (isfinite(self.beta) and self.beta > 0):
            raise BadInput(f"expected --beta > 0, got {self.beta!r}")
        if not (isfinite(self.alpha) and self.alpha >= 0):
            raise BadInput(f"expected --alpha >= 0, got {self.alpha!r}")
        if self.norm not in NORMS:
            raise UnknownName("--norm", self.norm, NORMS)
