"""One step of several policies, and of their critic, on a batch of experience that every process has whole.

    old, reference, values    read once, without gradient
    advantages                those that came with the experience, or a critic's along the chain of agents
    passes x mini-batches     each policy by its own optimiser; a process reads a stretch of the packed rows

Weights of tokens are reckoned over the whole batch, before rows without gradient are dropped, and gradients are added
up over processes once a mini-batch: no cut changes the step, and no process waits for a row that another lacks. The
same batch, settings, step and weights give the same step, whatever went before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, expm1, inf
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any, Final, Literal

import torch
from torch import Tensor

from orchestra.errors import BadData
from orchestra.learning.quiet import quiet
from orchestra.learning.rl.clam import AgentModel
from orchestra.learning.rl.critic import Head
from orchestra.learning.rl.estimates import estimated
from orchestra.learning.rl.experience import Batch, Experience
from orchestra.learning.rl.normalise import Share, weights
from orchestra.learning.rl.policies import CRITIC, Policies
from orchestra.learning.rl.processes import stage
from orchestra.learning.rl.reading import Numbers, Reader, by_place, flat, heard, rows_of
from orchestra.learning.rl.settings import Update
from orchestra.learning.rl.stepping import Optimisers, Part, Step
from orchestra.learning.rl.surrogate import BOUND, importance, log_ratio, policy_loss, value_loss

PARTNERS: Final = "clam."
"""Begins the names of what CLAM keeps."""


@dataclass(slots=True)
class Figures:
    """Of one step."""

    rows: int = 0
    """Decisions in the batch."""
    kept: int = 0
    """Those with an advantage, of policies whose turn it is: what is read."""
    tokens: int = 0
    """Sampled ones of these rows, all passes."""
    clipped: float = 0.0
    """Share of these tokens whose ratio was clipped."""
    kl: float = 0.0
    """Approximate KL from the policies before the step, at the level of the ratio, mean over tokens and passes."""
    reference_kl: float | None = None
    """Of the policies before the step from the start, a token; None where it is not asked."""
    mismatch: float = 0.0
    """Mean absolute difference of the trainer's log-probability of a token from the sampler's, before the step."""
    mismatch_kl: float = 0.0
    entropy: float = 0.0
    """Mean of - log p over the sampled tokens before the step."""
    norm: float = 0.0
    """Of the gradient before it was clipped, mean over policies and mini-batches."""
    loss: float = 0.0
    value_loss: float | None = None
    explained: float | None = None
    """Share of the returns' variance that the critic explained before the step."""
    stopped: list[str] = field(default_factory=list)
    """Policies whose passes were cut short by `kl_stop`."""


class Learner:
    """Policies, optimisers and critic of a run."""

    def __init__(
        self,
        accelerator: Any,
        base: Path,
        names: Sequence[str],
        settings: Update,
        *,
        longest: int,
        temperature: float = 1.0,
        starts: Mapping[str, Path] | None = None,
    ) -> None:
        """`longest`: most tokens of a reply; `starts`: policy -> the adapter folder that it begins with."""
        self.accelerator, self.settings, self.longest = accelerator, settings, longest
        critic = settings.critic != "none"
        with quiet():
            self.policies = Policies(base, names, settings, starts or {}, critic=critic)
            self.policies.model.to(accelerator.device).train()
            size = self.policies.model.config.hidden_size
            head = Head(size, settings.clam, seed=settings.seed) if critic else None
            self.partners = AgentModel(size, settings.clam, seed=settings.seed) if settings.clam else None
            self.reader = Reader(accelerator, self.policies, temperature, head)
        trained = {name: dict(self.policies.parameters(name)) for name in names}
        if head is not None:
            head.to(accelerator.device)
            own = {f"head.{name}": each for name, each in head.named_parameters()}
            trained[CRITIC] = {**self.policies.parameters(CRITIC), **own}
        rates = {name: settings.critic_lr if name == CRITIC else settings.lr for name in trained}
        self.optimisers = Optimisers(trained, rates, settings.clip, stage=stage(accelerator))

    def learn(self, batch: Batch, step: int) -> Figures:
        """Takes step number `step`, from 0. Raises BadData for replies sampled at another temperature, RunFailed, with
        the weights of a policy as they were, where a number is not finite."""
        self._check(batch.experiences)
        figures = Figures(rows=len(batch.experiences))
        if self.settings.critic == "none":
            advantages: Sequence[Sequence[float]] = [[e.advantage or 0.0] * e.tokens for e in batch.experiences]
        else:
            advantages = self._appraised(batch, step, figures)
        if step >= self.settings.warmup:
            self._improved(batch, advantages, step, figures)
        return figures

    def state(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What a checkpoint keeps: parameters by name, and the optimisers' moments of those that were ever stepped."""
        parameters, moments = self.optimisers.state()
        partners = self.partners.state_dict() if self.partners is not None else {}
        return {**parameters, **{f"{PARTNERS}{name}": each for name, each in partners.items()}}, moments

    def restore(self, parameters: Mapping[str, Tensor], moments: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.optimisers.restore(parameters, moments)
        if self.partners is not None:
            own = {name.removeprefix(PARTNERS): each for name, each in parameters.items() if name.startswith(PARTNERS)}
            self.partners.load_state_dict(own)

    def _features(self, experiences: Sequence[Experience]) -> Tensor | None:
        """(R, F): whom each experience's agent plays with, by its own prompts; the longest of an agent's in a tree, of
        equal ones the first, is what the model learns from."""
        if self.partners is None:
            return None
        seen = self.reader.observations(experiences)
        longest: dict[tuple[str, str], int] = {}
        for place, each in enumerate(experiences):
            best = longest.setdefault((each.row.run, each.agent), place)
            if heard(each.row) > heard(experiences[best].row):
                longest[each.row.run, each.agent] = place
        self.partners.update([seen[place] for place in longest.values()])
        return self.partners.embed(seen).to(self.accelerator.device)

    def _appraised(self, batch: Batch, step: int, figures: Figures) -> Sequence[Sequence[float]]:
        """The critic's advantages, before it learns from what was earned."""
        settings, experiences = self.settings, batch.experiences
        level: Literal["action", "token"] = "action" if settings.critic == "action" else "token"
        features = self._features(experiences)
        values = self.reader.values(experiences, features)
        found = estimated(batch, values, level, settings.gamma, settings.decay)
        figures.explained = found.explained
        first = level == "action"
        lost = []
        for part in self._parts(experiences, sorted(found.returns), step, CRITIC):
            total = sum(1 if first else experiences[place].tokens for place in part)
            parts = self._critic_parts(experiences, part, values, found.returns, features, total, first=first)
            lost.append(
                self.optimisers.step(CRITIC, parts, self.accelerator, where=_where(experiences, part, step)).loss
            )
        figures.value_loss = fmean(lost) if lost else None
        return found.advantages

    def _critic_parts(
        self, experiences: Sequence[Experience], places: Sequence[int], values: Numbers, returns: Numbers,
        features: Tensor | None, total: int, *, first: bool,
    ) -> Iterator[Part]:  # fmt: skip
        """Every decision counts alike, by the state before its first token, or every token."""
        self.policies.use(CRITIC)
        for pack, members in self.reader.packed(experiences, places):
            counted = [not first or k == 0 for place in members for k in range(experiences[place].tokens)]
            at = torch.tensor(counted, device=pack.ids.device)
            own = None if features is None else features[members]
            now = self.reader.valued(pack, rows_of(experiences, members, pack.ids.device), own)[at]
            old, goal = (flat(each, members, now.device)[at] for each in (values, returns))
            loss = value_loss(now, old, goal, torch.full_like(now, 1 / total), clip=self.settings.value_clip)
            yield Part(loss, torch.zeros(3, device=now.device))

    def _improved(self, batch: Batch, advantages: Sequence[Sequence[float]], step: int, figures: Figures) -> None:
        """Every policy whose turn it is learns from its rows."""
        settings, experiences = self.settings, batch.experiences
        turn = self._turn(step)
        places = [
            place
            for place, each in enumerate(experiences)
            if each.row.policy in turn and (settings.kl or any(advantages[place]))
        ]
        figures.kept = len(places)
        if not places:
            return
        spoken = [place for place, each in enumerate(experiences) if each.row.policy in turn]
        old: dict[int, list[float]] = {}
        if settings.order == "sequential":  # also of rows without an advantage: their policies move too
            old = self.reader.logprobs(experiences, spoken)
        elif settings.minibatches > 1:  # else the first pass meets every row as it was, and reads these on its way
            old = self.reader.logprobs(experiences, places)
        reference = self.reader.logprobs(experiences, places, reference=True) if settings.kl else {}
        factors, ratios, taken = dict.fromkeys(places, 1.0), dict[int, float](), list[Step]()
        for name in turn:
            own = [place for place in places if experiences[place].row.policy == name]
            scaled = {place: [a * factors[place] for a in advantages[place]] for place in own}
            steps = self._passes(name, experiences, own, scaled, old, reference, step)
            if steps and not steps[-1].taken:
                figures.stopped.append(name)
            taken += steps
            old = self.reader.everyones(old)
            if settings.order == "sequential" and name != turn[-1]:
                changed = [place for place in spoken if experiences[place].row.policy == name]
                now = self.reader.logprobs(experiences, changed)
                ratios |= {place: _ratio(now[place], old[place]) for place in changed}
                factors = corrections(batch, ratios, factors)
        _compare(experiences, old, reference, figures)
        _summed(taken, figures)

    def _passes(
        self, name: str, experiences: Sequence[Experience], places: Sequence[int], advantages: Numbers,
        old: dict[int, list[float]], reference: Numbers, step: int,
    ) -> list[Step]:  # fmt: skip
        """The optimiser steps of one policy; the last was not taken where its KL was too high."""
        shares = [Share(each.row.run, each.agent, each.tokens, each.mass) for each in experiences]
        weight = weights(shares, self.settings.normalise, longest=self.longest)
        taken: list[Step] = []
        planned = self._parts(experiences, places, step, name)
        scale = len(planned) / self.settings.epochs
        for part in planned:
            parts = self._policy_parts(name, experiences, part, advantages, old, reference, [w * scale for w in weight])
            taken.append(
                self.optimisers.step(
                    name,
                    parts,
                    self.accelerator,
                    kl_stop=self.settings.kl_stop or inf,
                    where=_where(experiences, part, step),
                )
            )
            if not taken[-1].taken:
                break
        return taken

    def _policy_parts(
        self, name: str, experiences: Sequence[Experience], places: Sequence[int], advantages: Numbers,
        old: dict[int, list[float]], reference: Numbers, weight: Sequence[float],
    ) -> Iterator[Part]:  # fmt: skip
        """`old` gets the numbers of rows that it lacks, as they are met."""
        settings = self.settings
        self.policies.use(name)
        sampled = {place: experiences[place].logprobs for place in places}
        for pack, members in self.reader.packed(experiences, places):
            now = self.reader.scored(pack)
            rows = rows_of(experiences, members, now.device)
            if members[0] not in old:
                old |= by_place(now.detach(), experiences, members)
            before = flat(old, members, now.device)
            off = log_ratio(before, flat(sampled, members, now.device), rows, len(members), settings.ratio)
            terms = policy_loss(
                now,
                before,
                flat(advantages, members, now.device),
                torch.tensor([weight[place] for place in members], device=now.device)[rows],
                rows,
                len(members),
                ratio=settings.ratio,
                low=settings.low,
                high=settings.high,
                dual=settings.dual or None,
                importance=importance(off, settings.importance) if settings.importance else None,
                reference=flat(reference, members, now.device) if settings.kl else None,
                kl=settings.kl,
            )
            yield Part(terms.loss, torch.stack([terms.clipped, terms.approx_kl, terms.tokens]))

    def _parts(self, experiences: Sequence[Experience], places: Sequence[int], step: int, name: str) -> list[list[int]]:
        """The rows of each optimiser step, all passes: whole trees, in an order of seed, step, pass and policy."""
        trees: dict[str, list[int]] = defaultdict(list)
        for place in places:
            trees[experiences[place].row.run].append(place)
        parts = []
        count = min(self.settings.minibatches, len(trees))
        for number in range(self.settings.epochs):
            runs = sorted(trees)
            Random(f"{self.settings.seed}/{step}/{number}/{name}").shuffle(runs)
            cuts = [len(runs) * cut // max(count, 1) for cut in range(count + 1)]
            for start, stop in pairwise(cuts):
                parts.append(sorted(place for run in runs[start:stop] for place in trees[run]))
        return parts

    def _turn(self, step: int) -> Sequence[str]:
        """The policies that learn in this step, in order."""
        names = self.policies.names
        if self.settings.order == "round_robin":
            return (names[step // self.settings.every % len(names)],)
        if self.settings.order == "sequential":
            return Random(f"{self.settings.seed}/{step}/order").sample(names, len(names))
        return names

    def _check(self, experiences: Iterable[Experience]) -> None:
        for each in experiences:
            if each.temperature != self.reader.temperature:
                raise BadData(
                    f"trajectory {each.row.run}: expected replies sampled at temperature {self.reader.temperature:g}, "
                    f"got {each.temperature:g}; fix: one --temperature"
                )


def corrections(batch: Batch, ratios: Mapping[int, float], factors: Mapping[int, float]) -> dict[int, float]:
    """What advantages are multiplied by where other policies have learnt already (HAPPO, arXiv 2109.11251).

    M of a decision: the product of pi_new / pi_old over the others of its path and round in `ratios`; a mean over its
    paths. What lies on no path keeps its factor of 1.
    """
    found: dict[int, list[float]] = defaultdict(list)
    for path in batch.paths:
        rounds: dict[int, float] = defaultdict(lambda: 1.0)
        for place in path.places:
            rounds[batch.experiences[place].round] *= ratios.get(place, 1.0)
        for place in path.places:
            found[place].append(rounds[batch.experiences[place].round] / ratios.get(place, 1.0))
    return {place: fmean(found[place]) if place in found else 1.0 for place in factors}


def _ratio(now: Sequence[float], old: Sequence[float]) -> float:
    return exp(max(-BOUND, min(BOUND, sum(now) - sum(old))))


def _compare(experiences: Sequence[Experience], old: Numbers, reference: Numbers, figures: Figures) -> None:
    """The trainer's numbers beside the sampler's, and the policies beside their start."""
    shifts = [o - s for place in old for o, s in zip(old[place], experiences[place].logprobs, strict=True)]
    figures.mismatch = fmean(map(abs, shifts))
    figures.mismatch_kl = fmean(map(_excess, shifts))
    figures.entropy = -fmean(value for place in old for value in old[place])
    if reference:
        figures.reference_kl = fmean(
            _excess(r - o) for place in old for r, o in zip(reference[place], old[place], strict=True)
        )


def _summed(steps: Sequence[Step], figures: Figures) -> None:
    clipped, kl, tokens = (sum(step.sums[at] for step in steps) for at in range(3))
    figures.tokens = int(tokens)
    figures.clipped, figures.kl = clipped / max(tokens, 1.0), kl / max(tokens, 1.0)
    figures.norm, figures.loss = fmean(step.norm for step in steps), fmean(step.loss for step in steps)


def _excess(shift: float) -> float:
    shift = max(-BOUND, min(BOUND, shift))
    return expm1(shift) - shift


def _where(experiences: Sequence[Experience], places: Sequence[int], step: int) -> str:
    """The step and its first rows, for whoever has to find out what went wrong."""
    keys = [f"{experiences[place].row.run}:{experiences[place].row.key.state}" for place in places[:3]]
    return f" at step {step + 1}, rows {', '.join(keys)}{', ...' if len(places) > 3 else ''}"
