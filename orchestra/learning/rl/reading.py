"""What the weights say of a batch as they stand: numbers of its sampled tokens, each process reading its share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from accelerate.utils import gather_object  # type: ignore[import-untyped]
from torch import Tensor

from orchestra.learning.batching import share
from orchestra.learning.fitting import PACK
from orchestra.learning.packing import Pack, Weighed, packs
from orchestra.learning.rl.critic import Head
from orchestra.learning.rl.experience import Experience
from orchestra.learning.rl.policies import CRITIC, Policies
from orchestra.learning.scorer import Scorer

Numbers = Mapping[int, Sequence[float]]
"""Place of an experience -> one number a labelled token."""


class Reader:
    """Log-probabilities and values. `head` is the critic's, if there is one."""

    def __init__(self, accelerator: Any, policies: Policies, temperature: float, head: Head | None = None) -> None:
        self.accelerator, self.policies, self.temperature, self.head = accelerator, policies, temperature, head
        self.scorer = Scorer(policies.model)

    def packed(self, experiences: Sequence[Experience], places: Sequence[int]) -> Iterator[tuple[Pack, list[int]]]:
        """This process's share of these experiences, pack by pack, with the places of those in it, in its order."""
        rows = [experiences[place].row for place in places]
        own = share(rows, self.accelerator.process_index, self.accelerator.num_processes)
        for pack in packs([Weighed(rows[at], 1.0) for at in own], PACK):
            yield pack.to(self.accelerator.device), [places[own[int(member)]] for member in pack.members]

    def scored(self, pack: Pack) -> Tensor:
        """(M,): log-probability of each labelled token by whoever speaks, differentiable."""
        return self.scorer(pack, self.temperature)[pack.which]

    def valued(self, pack: Pack) -> Tensor:
        """(M,): value of the state before each labelled token, differentiable."""
        assert self.head is not None
        values: Tensor = self.head(self.scorer.hidden(pack))
        return values[pack.which]

    def logprobs(
        self, experiences: Sequence[Experience], places: Sequence[int], *, reference: bool = False
    ) -> dict[int, list[float]]:
        """Without gradient, each by its own policy, as it is or as it was at the start; all processes get all."""
        found: dict[int, list[float]] = {}
        for policy in self.policies.names:
            own = [place for place in places if experiences[place].row.policy == policy]
            self.policies.use(policy)
            with self.policies.reference(policy) if reference else nullcontext():
                found |= self._numbers(experiences, own, self.scored)
        return self._everyones(found)

    def values(self, experiences: Sequence[Experience]) -> dict[int, list[float]]:
        """The critic's, without gradient; all processes get all."""
        self.policies.use(CRITIC)
        return self._everyones(self._numbers(experiences, range(len(experiences)), self.valued))

    @torch.no_grad()
    def _numbers(
        self, experiences: Sequence[Experience], places: Sequence[int], compute: Callable[[Pack], Tensor]
    ) -> dict[int, list[float]]:
        found: dict[int, list[float]] = {}
        for pack, members in self.packed(experiences, places):
            numbers = iter(compute(pack).tolist())
            for place in members:
                found[place] = [next(numbers) for _ in range(experiences[place].tokens)]
        return found

    def _everyones(self, own: dict[int, list[float]]) -> dict[int, list[float]]:
        return {place: each for part in gather_object([own]) for place, each in part.items()}


def flat(numbers: Numbers, members: Sequence[int], device: torch.device) -> Tensor:
    """(M,), fp32: the numbers of a pack's members, one after another."""
    return torch.tensor([number for place in members for number in numbers[place]], device=device)
