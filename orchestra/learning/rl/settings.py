"""What a person may set about learning by reinforcement. No torch here: wrong options are refused at once."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, get_args

from orchestra.errors import BadInput, UnknownName
from orchestra.learning.rl.normalise import Normalise
from orchestra.learning.settings import SEEDS, Precision

Ratio = Literal["token", "turn", "action"]
"""What is compared with its old self: a token (PPO, GRPO), a turn by its mean token (GSPO, arXiv 2507.18071; ReMA,
arXiv 2503.09501), or an action by all its tokens together (MARFT, arXiv 2504.16129)."""
Order = Literal["joint", "sequential", "round_robin"]
Critic = Literal["none", "action", "token"]
CHOICES: Final = {
    "ratio": get_args(Ratio),
    "order": get_args(Order),
    "critic": get_args(Critic),
    "normalise": get_args(Normalise),
    "precision": get_args(Precision),
}


@dataclass(frozen=True, slots=True)
class Update:
    """How a batch of experience changes the weights; each default is written here and nowhere else."""

    lr: float = 5e-5
    """Of AdamW, constant."""
    rank: int = 16
    """Of the LoRA update of a new adapter; alpha is twice that."""
    epochs: int = 1
    """Passes over a batch of experience."""
    minibatches: int = 1
    """Optimiser steps of a pass, each over whole trees."""
    ratio: Ratio = "token"
    """Whose ratio is clipped; `action` counts an action once, so it goes with normalise "sequence" alone."""
    low: float = 0.2
    high: float = 0.28
    """The ratio is clipped to 1 - low and 1 + high."""
    dual: float = 3.0
    """A bad action whose probability grew counts at most this many times; 0: no such bound."""
    importance: float = 2.0
    """Bound of the weight that corrects for a sampler whose numbers are not the trainer's; 0: no weight."""
    kl: float = 0.0
    """How dear a step away from the start is."""
    normalise: Normalise = "rollout"
    order: Order = "joint"
    """All policies from one state; or one after another, the later ones weighed by what the earlier ones changed
    (HAPPO); or one policy alone for `every` steps, then the next."""
    every: int = 1
    kl_stop: float = 0.0
    """A batch is left where its approximate KL is above; 0: never."""
    critic: Critic = "none"
    """Advantages from a learnt value of each decision (action) or each token; none: they come with the experience."""
    critic_lr: float = 3e-4
    gamma: float = 1.0
    """Discount from one decision to the next."""
    decay: float = 0.95
    """Lambda of generalised advantage estimation."""
    value_clip: float = 0.2
    clam: int = 0
    """Size of an embedding of an agent's own prompts, learnt by contrast (CLAM), for the critic; 0: none. It tells
    partners apart where they vary, else tasks and seats."""
    warmup: int = 0
    """First steps in which the critic alone learns."""
    clip: float = 1.0
    """Largest norm of a policy's gradient."""
    seed: int = 0
    precision: Precision = "bf16"
    """Of the frozen base; adapters, critic head and optimisers are fp32."""

    def __post_init__(self) -> None:
        for name in ("lr", "rank", "epochs", "minibatches", "critic_lr", "every", "clip", "value_clip"):
            _above(name, getattr(self, name))
        for name in ("low", "high", "dual", "importance", "kl", "kl_stop", "warmup", "clam"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise BadInput(f"expected --{name.replace('_', '-')} >= 0, got {value!r}")
        if self.low >= 1 or 0 < self.dual <= 1:
            raise BadInput(f"expected --low < 1 and --dual > 1 or 0, got {self.low!r} and {self.dual!r}")
        for name in ("gamma", "decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(f"expected --{name} from 0 to 1, got {getattr(self, name)!r}")
        if not 0 <= self.seed < SEEDS:
            raise BadInput(f"expected 0 <= --seed < 2**32, got {self.seed!r}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise UnknownName(f"--{name}", getattr(self, name), known)
        if self.ratio == "action" and self.normalise != "sequence":
            raise BadInput(
                f"--ratio action and --normalise {self.normalise} exclude each other: an action would count once "
                "for each of its tokens; fix: --normalise sequence"
            )
        for name in ("warmup", "clam"):
            if getattr(self, name) and self.critic == "none":
                raise BadInput(f"--{name} is of a critic, and there is none; fix: training/ppo.py")


def _above(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise BadInput(f"expected --{name.replace('_', '-')} > 0, got {value!r}")
