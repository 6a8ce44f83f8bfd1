"""What the weights say of a batch as they stand: numbers of its sampled tokens, each process reading its share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
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
from orchestra.learning.row import IGNORED, Row
from orchestra.learning.scorer import Scorer

SEEN = 64
"""Tokens at a prompt's end that an agent's observations are: what the others said stands there."""
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

    def valued(self, pack: Pack, rows: Tensor, features: Tensor | None) -> Tensor:
        """(M,): value of the state before each labelled token, differentiable; `features` are those of the rows."""
        assert self.head is not None
        values: Tensor = self.head(self.scorer.hidden(pack)[pack.which], None if features is None else features[rows])
        return values

    @torch.no_grad()
    def observations(self, experiences: Sequence[Experience]) -> list[Tensor]:
        """(T, H) of each: what the base alone makes of the last `SEEN` tokens of its prompt; each process reads all."""
        found: dict[int, Tensor] = {}
        prompts = [_prompt(each.row) for each in experiences]
        with self.policies.model.disable_adapter():
            for pack in packs([Weighed(row, 1.0) for row in prompts], PACK):
                placed = pack.to(self.accelerator.device)
                states = self.scorer.hidden(placed)[placed.which].float().cpu()
                lengths = [len(prompts[int(member)].input_ids) - 1 for member in pack.members]
                parts = torch.split(states, lengths)
                found |= {int(member): part[-SEEN:] for member, part in zip(pack.members, parts, strict=True)}
        return [found[place] for place in range(len(experiences))]

    def logprobs(
        self, experiences: Sequence[Experience], places: Sequence[int], *, reference: bool = False
    ) -> dict[int, list[float]]:
        """Without gradient, each by its own policy, as it is or as it was at the start; all processes get all."""
        found: dict[int, list[float]] = {}
        for policy in self.policies.names:
            own = [place for place in places if experiences[place].row.policy == policy]
            self.policies.use(policy)
            with self.policies.reference(policy) if reference else nullcontext():
                found |= self._numbers(experiences, own, lambda pack, _: self.scored(pack))
        return self.everyones(found)

    def values(self, experiences: Sequence[Experience], features: Tensor | None = None) -> dict[int, list[float]]:
        """The critic's, without gradient; `features` (R, F) are the experiences'. All processes get all."""
        self.policies.use(CRITIC)

        def valued(pack: Pack, members: Sequence[int]) -> Tensor:
            own = None if features is None else features[members]
            return self.valued(pack, rows_of(experiences, members, pack.ids.device), own)

        return self.everyones(self._numbers(experiences, range(len(experiences)), valued))

    @torch.no_grad()
    def _numbers(
        self, experiences: Sequence[Experience], places: Sequence[int], compute: Callable[[Pack, Sequence[int]], Tensor]
    ) -> dict[int, list[float]]:
        found: dict[int, list[float]] = {}
        for pack, members in self.packed(experiences, places):
            found |= by_place(compute(pack, members), experiences, members)
        return found

    def everyones(self, own: dict[int, list[float]]) -> dict[int, list[float]]:
        """What all processes have together."""
        return {place: each for part in gather_object([own]) for place, each in part.items()}


def rows_of(experiences: Sequence[Experience], members: Sequence[int], device: torch.device) -> Tensor:
    """(M,): of each labelled token of a pack, which of its members it belongs to."""
    counts = torch.tensor([experiences[place].tokens for place in members])
    return torch.repeat_interleave(torch.arange(len(members)), counts).to(device)


def _prompt(row: Row) -> Row:
    """What an agent saw before it spoke, every token labelled, so that all of it is read."""
    seen = row.input_ids[: heard(row)]
    return replace(row, input_ids=seen, labels=seen)


def heard(row: Row) -> int:
    """Tokens before the first that the policy sampled."""
    return next(at for at, label in enumerate(row.labels) if label != IGNORED)


def by_place(numbers: Tensor, experiences: Sequence[Experience], members: Sequence[int]) -> dict[int, list[float]]:
    """The inverse of `flat`: (M,) of a pack -> the numbers of each of its members."""
    left = iter(numbers.tolist())
    return {place: [next(left) for _ in range(experiences[place].tokens)] for place in members}


def flat(numbers: Numbers, members: Sequence[int], device: torch.device) -> Tensor:
    """(M,), fp32: the numbers of a pack's members, one after another."""
    return torch.tensor([number for place in members for number in numbers[place]], device=device)
