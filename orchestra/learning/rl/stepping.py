"""One optimiser a policy, and one step of it: gradients of all processes are added up, clipped and looked at first.

A process reads its own rows and adds up what they come to; only then do processes meet, once, whether or not DeepSpeed
keeps the moments in shards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from orchestra.errors import RunFailed
from orchestra.learning.loop import MOMENTS, add_up
from orchestra.learning.rl.sharding import Sharded


class Part(NamedTuple):
    """What a pack came to on one process."""

    loss: Tensor
    """(), differentiable."""
    sums: Tensor
    """(3,): clipped tokens, approximate KL, tokens."""


class Step(NamedTuple):
    """What an optimiser step came to on all processes."""

    loss: float
    norm: float
    """Of the gradient before it was clipped."""
    sums: tuple[float, float, float]
    taken: bool
    """Whether weights moved: not where the approximate KL was too high."""


class Optimiser(Protocol):
    """Of one policy. All processes call each method together."""

    def step(self, gradients: Sequence[Tensor], accelerator: Any, *, take: bool) -> float:
        """Adds up `gradients` over all processes; returns the norm of the sum, before it is clipped. Steps, unless
        told not to or the norm is not finite."""
        ...

    def moments(self) -> dict[str, Tensor]:
        """Of each parameter as `name/moment`, whole; none where no step was ever taken."""
        ...

    def restore(self, parameters: Mapping[str, Tensor], moments: Mapping[str, Tensor]) -> None:
        """Sets parameters, and the moments that there are."""
        ...


class Whole:
    """AdamW over parameters by name, the same on each process."""

    def __init__(self, parameters: Mapping[str, Parameter], rate: float, clip: float) -> None:
        self.parameters, self.clip = dict(parameters), clip
        self._adam = torch.optim.AdamW(parameters.values(), lr=rate, weight_decay=0.0, fused=True)

    def step(self, gradients: Sequence[Tensor], accelerator: Any, *, take: bool) -> float:
        if accelerator.num_processes > 1:
            add_up(accelerator, gradients)
        for each, gradient in zip(self.parameters.values(), gradients, strict=True):
            each.grad = gradient
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.clip))
        if take and isfinite(norm):
            self._adam.step()
        return norm

    def moments(self) -> dict[str, Tensor]:
        state = self._adam.state
        return {
            f"{name}/{moment}": state[each][moment]
            for name, each in self.parameters.items()
            if each in state
            for moment in MOMENTS
        }

    def restore(self, parameters: Mapping[str, Tensor], moments: Mapping[str, Tensor]) -> None:
        for name, each in self.parameters.items():
            with torch.no_grad():
                each.copy_(parameters[name])
            own = {moment: moments[key] for moment in MOMENTS if (key := f"{name}/{moment}") in moments}
            if own:
                self._adam.state[each] = {moment: value.to(each.device) for moment, value in own.items()}


class Optimisers:
    """Parameters and moments by the names of policies; stepping one leaves the others bit-identical."""

    def __init__(
        self,
        trained: Mapping[str, Mapping[str, Parameter]],
        rates: Mapping[str, float],
        clip: float,
        *,
        stage: int = 0,
    ) -> None:
        """`trained`: policy -> its parameters by names that no other policy has; `stage`: of ZeRO, 0 for none."""
        self.trained = trained
        self._each: dict[str, Optimiser] = {
            name: Sharded(own, rates[name], clip, stage) if stage else Whole(own, rates[name], clip)
            for name, own in trained.items()
        }

    def step(
        self, name: str, parts: Iterable[Part], accelerator: Any, *, kl_stop: float = inf, where: str = ""
    ) -> Step:
        """Adds up the gradients of `parts` and steps one policy. Raises RunFailed, with weights as they were, where
        loss or gradient is not finite."""
        parameters = list(self.trained[name].values())
        gradients = [torch.zeros_like(each) for each in parameters]
        loss, sums = torch.zeros((), device=accelerator.device), torch.zeros(3, device=accelerator.device)
        for part in parts:
            # Not `backward`: DeepSpeed would meet the other processes in it, which have other numbers of parts.
            slopes = torch.autograd.grad(part.loss, parameters, materialize_grads=True)
            for gradient, slope in zip(gradients, slopes, strict=True):
                gradient.add_(slope)
            loss += part.loss.detach()
            sums += part.sums
        if accelerator.num_processes > 1:
            add_up(accelerator, [loss, sums])
        clipped, kl, tokens = map(float, sums)
        taken = isfinite(float(loss)) and kl <= kl_stop * max(tokens, 1.0)
        norm = self._each[name].step(gradients, accelerator, take=taken)
        if not (isfinite(float(loss)) and isfinite(norm)):
            raise RunFailed(
                f"expected a finite loss and gradient of {name}, got {float(loss)} and {norm}{where}; the last good "
                "checkpoint stays; fix: another --output, from this one by --init, with a lower --lr"
            )
        return Step(float(loss), norm, (clipped, kl, tokens), taken)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Parameters by name, and the moments of those that were ever stepped; all processes ask together."""
        parameters = {name: each.detach() for own in self.trained.values() for name, each in own.items()}
        moments = {name: each for optimiser in self._each.values() for name, each in optimiser.moments().items()}
        return parameters, moments

    def restore(self, parameters: Mapping[str, Tensor], moments: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        for optimiser in self._each.values():
            optimiser.restore(parameters, moments)
