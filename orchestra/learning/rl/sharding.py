"""The optimiser of a policy in shards, by DeepSpeed: ZeRO-1 and ZeRO-2 (arXiv 1910.02054).

    each process: gradient of its own rows -> reduced in shards -> moments and step of its shard -> weights gathered

DeepSpeed is handed the sum of a process's rows, as the gradient of a plane through the parameters: one micro-batch a
step on every process, however many rows each had, so that none waits for another. What is kept is whole and by
parameter: a run goes on with another number of processes, and with none of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from orchestra.learning.loop import add_up

AVERAGES = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps for each number; of its steps DeepSpeed counts one for all parameters of a shard."""


class Plane(nn.Module):
    """sum_i <gradient_i, parameter_i>: what has these gradients."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        super().__init__()
        self.held = nn.ParameterList(parameters)

    def forward(self, gradients: Sequence[Tensor]) -> Tensor:
        return torch.stack([(own * given).sum() for own, given in zip(self.held, gradients, strict=True)]).sum()


class Sharded:
    """AdamW over parameters by name, of which each process holds all; made and called by all processes together."""

    def __init__(self, parameters: Mapping[str, Parameter], rate: float, clip: float, stage: int) -> None:
        # An optional library, which takes seconds to load; without it accelerate has started nothing.
        import deepspeed  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415

        self.parameters, own = dict(parameters), list(parameters.values())
        self._adam = torch.optim.AdamW(own, lr=rate, weight_decay=0.0, fused=True)
        size = sum(each.numel() for each in own)
        for each in own:  # PEFT froze those of policies that do not speak; DeepSpeed watches what is not frozen
            each.requires_grad_(True)
        self._whole = deepspeed.utils
        self._engine: Any = deepspeed.initialize(
            model=Plane(own),
            optimizer=self._adam,
            config={
                "train_micro_batch_size_per_gpu": 1,
                "gradient_clipping": clip,
                "steps_per_print": inf,
                "zero_optimization": {"stage": stage, "reduce_bucket_size": size, "overlap_comm": False},
            },
        )[0]

    def step(self, gradients: Sequence[Tensor], accelerator: Any, *, take: bool) -> float:
        """As `stepping.Optimiser.step`."""
        if take:
            return self._stepped([each * accelerator.num_processes for each in gradients])  # DeepSpeed takes the mean
        add_up(accelerator, gradients)
        return float(torch.nn.utils.get_total_norm(gradients))

    def moments(self) -> dict[str, Tensor]:
        """As `stepping.Optimiser.moments`."""
        if not self._adam.state:
            return {}
        (shard,) = self._adam.state.values()
        found = {f"{name}/step": shard["step"].clone() for name in self.parameters}
        for name, each in self.parameters.items():
            for moment in AVERAGES:
                found[f"{name}/{moment}"] = self._whole.safe_get_full_optimizer_state(each, moment)
        return found

    def restore(self, parameters: Mapping[str, Tensor], moments: Mapping[str, Tensor]) -> None:
        """As `stepping.Optimiser.restore`."""
        for name, each in self.parameters.items():
            with torch.no_grad():
                each.copy_(parameters[name])
            self._whole.safe_set_full_fp32_param(each, each.detach())
        if any(f"{name}/step" in moments for name in self.parameters):
            self._stepped([torch.zeros_like(each) for each in self.parameters.values()])  # makes room for moments
            (shard,) = self._adam.state.values()
            for name, each in self.parameters.items():
                shard["step"].copy_(moments[f"{name}/step"])
                for moment in AVERAGES:
                    value = moments[f"{name}/{moment}"].to(each.device)
                    self._whole.safe_set_full_optimizer_state(each, value, moment)

    def _stepped(self, gradients: Sequence[Tensor]) -> float:
        """The norm of what all processes handed in; inf, and nothing is stepped, where it is not finite."""
        for each in self.parameters.values():
            each.requires_grad_(True)
        self._engine.backward(self._engine(gradients))
        self._engine.step()
        return float(self._engine.get_global_grad_norm())
