"""Fitting one policy to preference pairs, beside the policy that it started from: by our packed trainer or by TRL's.

    h(y)  = sum over sampled tokens of log pi(token | what precedes it) - the same under pi_ref
    L     = - log sigmoid(beta (h(y+) - h(y-))) - alpha log pi(y+) / length

(DPO, arXiv 2305.18290; with alpha RPO, normed for each pair as in Optima, arXiv 2410.08115.) pi_ref is the policy
before the first step; its log-probabilities are numbers beside the pairs, so no second model is kept. A step divides by
`batch`, also the last of an epoch, which may have fewer pairs: a pair counts the same in every step, and neither
micro-batches nor processes change a step or its figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from accelerate.utils import gather_object  # type: ignore[import-untyped]
from torch import Tensor

from orchestra.errors import BadData
from orchestra.learning import loop, losses
from orchestra.learning.fitting import PACK
from orchestra.learning.loop import Keep, Part
from orchestra.learning.pair_packs import PairPack, pair_packs
from orchestra.learning.pairs import Pair
from orchestra.learning.preference import Preference
from orchestra.learning.quiet import quiet
from orchestra.learning.reference import LogProbs
from orchestra.learning.scorer import Scorer
from orchestra.learning.settings import Settings
from orchestra.learning.trainable import Trainable, load


class Figures(NamedTuple):
    """Of one optimiser step, means over its pairs, before the step was taken."""

    loss: float
    accuracy: float
    """Share of pairs whose chosen reply gained on the rejected one; of the first step it says nothing."""
    margin: float
    """beta (h(y+) - h(y-))."""
    chosen_shift: float
    """h(y+), nats a reply: the sampled estimate of how far the policy moved from the reference there."""
    rejected_shift: float
    """h(y-)."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A trained policy, still in memory."""

    model: Trainable
    state: Mapping[str, Tensor] | None
    """Its state dict, whole on the first process, where the weights may lie in shards; else None."""
    curve: tuple[Figures, ...]
    tokens: int
    """In the pairs, every epoch and both replies counted, padding not; a prompt read once counts for each reply."""
    seconds: float
    """Of this process; what was done before a checkpoint is not in it."""


def fit(
    pairs: Sequence[Pair],
    base: Path,
    settings: Settings,
    preference: Preference,
    *,
    init: Path | None = None,
    full: bool = False,
    keep: Keep | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Fit:
    """Trains what `trainable.load` gives for the model folder `base`, the folder `init` and `full`.

    With `keep`, the packed trainer leaves checkpoints there and goes on from the newest. `report` gets steps done and
    their total. Raises BadData where the pairs do not fit the model, BadInput where settings and launcher do not go
    together, RunFailed where the loss is no longer finite.
    """
    state: Mapping[str, Tensor] | None = None
    steps = plan(len(pairs), settings)
    with quiet():
        if settings.trainer == "packed":
            accelerator = loop.launch(settings, keep)  # first: it finds the other processes, and refuses shards
            model = load(base, settings, init=init, full=full)
            _check(pairs, model.config.vocab_size, settings)
            started = time.monotonic()
            model.to(accelerator.device)
            learner = _Learner(accelerator, model, pairs, steps, settings, preference)
            curve = loop.fitted(accelerator, model, len(steps), learner.gradient, settings, report=report, keep=keep)
        else:
            from orchestra.learning import pairs_with_trl  # noqa: PLC0415  (trl and datasets take seconds to import)

            model = load(base, settings, init=init, full=full)  # before ZeRO-3 knows: it would come in shards
            _check(pairs, model.config.vocab_size, settings)
            arguments = pairs_with_trl.arguments(pairs, settings, preference)
            started = time.monotonic()
            model, state, curve = pairs_with_trl.fitted(
                model, pairs, steps, base, arguments, settings, preference, report
            )
        read = sum(2 * len(pair.prompt_ids) + len(pair.chosen_ids) + len(pair.rejected_ids) for pair in pairs)
        figures = tuple(Figures(**each) for each in curve)
        return Fit(model, state, figures, read * settings.epochs, time.monotonic() - started)


def plan(count: int, settings: Settings) -> list[list[int]]:
    """Places of the pairs of each step, all epochs, in an order of seed and epoch; an epoch's last step may be smaller.

    >>> [len(step) for step in plan(5, Settings(batch=4, epochs=2))]
    [4, 1, 4, 1]
    """
    steps: list[list[int]] = []
    for epoch in range(settings.epochs):
        order = list(range(count))
        Random(f"{settings.seed}/{epoch}").shuffle(order)
        steps += (order[at : at + settings.batch] for at in range(0, count, settings.batch))
    return steps


class _Learner:
    """What the packed trainer asks of pairs: the reference once, then the gradient of each step."""

    def __init__(
        self,
        accelerator: Any,
        model: Trainable,
        pairs: Sequence[Pair],
        steps: Sequence[Sequence[int]],
        settings: Settings,
        preference: Preference,
    ) -> None:
        self.accelerator, self.pairs, self.steps, self.preference = accelerator, pairs, steps, preference
        self.batch, self.budget = settings.batch, min(PACK, settings.max_tokens_per_step)
        self.scorer = Scorer(model)  # in evaluation mode, so no dropout is in the reference
        self.known = self._reference()
        model.train()

    def gradient(self, step: int) -> Part:
        """Adds this process's part of the step to `.grad`."""
        own, count = self._own(step), len(self.steps[step])
        sums = dict.fromkeys(Figures._fields, torch.zeros((), device=self.accelerator.device))
        bad: list[str] = []
        for packed in pair_packs([self.pairs[at] for at in own], self.budget):
            met = [own[place] for place in packed.among]
            loss, figures = self._loss(packed.to(self.accelerator.device), met)
            (loss.sum() / self.batch).backward()  # type: ignore[no-untyped-call]
            sums = {name: sums[name] + values.detach().sum() / count for name, values in figures.items()}
            bad += [_name(self.pairs[at]) for at, each in zip(met, loss.isfinite().tolist(), strict=True) if not each]
        return Part(sums, bad)

    def _loss(self, packed: PairPack, met: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Of each pair of a pack, (B,), and its figures."""
        chosen, rejected = packed.sums(self.scorer(packed.pack))
        pairs = [self.pairs[at] for at in met]
        known = torch.tensor([self.known[at] for at in met], device=chosen.device)
        full = self.preference.norm == "full"
        lengths = [len(pair.chosen_ids) if full else sum(pair.chosen_mask) for pair in pairs]
        loss = losses.rpo(
            chosen, rejected, known[:, 0], known[:, 1],
            beta=self.preference.beta, alpha=self.preference.alpha, norm=self.preference.norm,
            prompt_tokens=chosen.new_tensor([len(pair.prompt_ids) for pair in pairs]),
            chosen_tokens=chosen.new_tensor(lengths),
        )  # fmt: skip
        margins = self.preference.beta * losses.margins(chosen, rejected, known[:, 0], known[:, 1])
        return loss, {
            "loss": loss, "accuracy": (margins > 0).float(), "margin": margins,
            "chosen_shift": chosen - known[:, 0], "rejected_shift": rejected - known[:, 1],
        }  # fmt: skip

    def _reference(self) -> list[LogProbs]:
        """Of every pair, read in the packs of the first epoch: the rounding of one pack is that of the other."""
        own: dict[int, LogProbs] = {}
        with torch.no_grad():
            for step in range(-(-len(self.pairs) // self.batch)):
                places = self._own(step)
                for packed in pair_packs([self.pairs[at] for at in places], self.budget):
                    there = packed.to(self.accelerator.device)
                    sums = torch.stack(there.sums(self.scorer(there.pack)), dim=1).tolist()
                    own |= {places[at]: LogProbs(*both) for at, both in zip(packed.among, sums, strict=True)}
        found = {at: each for part in gather_object([own]) for at, each in part.items()}
        return [found[at] for at in range(len(self.pairs))]

    def _own(self, step: int) -> list[int]:
        """Places of the pairs of a step that this process reads: a stretch of them by prompt, maybe an empty one."""
        ordered = sorted(self.steps[step], key=lambda at: self.pairs[at].prompt_ids)
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        return ordered[len(ordered) * rank // world : len(ordered) * (rank + 1) // world]


def _name(pair: Pair) -> str:
    return f"{pair.run}:{pair.chosen.state}"


def _check(pairs: Sequence[Pair], vocabulary: int, settings: Settings) -> None:
    if not pairs:
        raise BadData("expected pairs to learn from, got none; fix: collect with --branch, or a lower --gap")
    for pair in pairs:
        ids = (*pair.prompt_ids, *pair.chosen_ids, *pair.rejected_ids)
        foreign = [token for token in ids if not 0 <= token < vocabulary]
        if foreign:
            raise BadData(
                f"trajectory {pair.run}: expected token ids below {vocabulary}, got {foreign[0]}; "
                "fix: train the model that spoke"
            )
        if not pair.prompt_ids or not any(pair.chosen_mask):
            raise BadData(
                f"trajectory {pair.run}: expected a prompt and a sampled token after it, got {len(pair.prompt_ids)} "
                f"and {sum(pair.chosen_mask)} tokens; fix: leave the pair out"
            )
        if (pair.chosen_ids, pair.chosen_mask) == (pair.rejected_ids, pair.rejected_mask):
            raise BadData(
                f"trajectory {pair.run}: expected two replies at {pair.chosen.state}, got one twice; fix: leave it out"
            )
        longest = len(pair.prompt_ids) + max(len(pair.chosen_ids), len(pair.rejected_ids))
        if longest > settings.max_tokens_per_step:
            raise BadData(
                f"trajectory {pair.run}: expected at most {settings.max_tokens_per_step} tokens, got {longest}; "
                "fix: raise --max-tokens-per-step"
            )
