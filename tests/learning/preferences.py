"""Preference pairs made by hand, runs whose siblings make pairs, and a slow second way to learn from them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch

from orchestra.credit import Scored, nested_mean
from orchestra.learning.dpo import plan
from orchestra.learning.pairs import Pair
from orchestra.learning.preference import Preference
from orchestra.learning.settings import Settings
from orchestra.learning.trainable import load
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Completion, Key, Request, Task, Usage

ROLES = ("generator", "verifier", "refiner")


def pairs_of(seed: int, count: int = 11, *, forced: bool = False) -> list[Pair]:
    """The chosen reply begins with the prompt's first id; with `forced` the first token of each alone was sampled."""
    random, found = Random(seed), []
    for index in range(count):
        prompt = tuple(random.randrange(60, 90) for _ in range(random.randrange(4, 9)))
        chosen, rejected = (prompt[0], 70 + index % 3, 2)[: 2 + index % 2], (prompt[1] + 1, 95, 96, 2)
        masks = [(1, *(0 if forced else 1 for _ in ids[1:])) for ids in (chosen, rejected)]
        keys = Key(str(index), 0), Key(str(index), 1)
        found.append(Pair(f"t{index}", *keys, "solver", "solver", "task", prompt, chosen, rejected, *masks, 1.0, 0.0))
    return found


def flipped(pair: Pair) -> Pair:
    """The same pair, with the worse reply chosen."""
    return Pair(
        pair.run, pair.rejected, pair.chosen, pair.role, pair.policy, pair.task, pair.prompt_ids, pair.rejected_ids,
        pair.chosen_ids, pair.rejected_mask, pair.chosen_mask, pair.chosen_value, pair.rejected_value,
    )  # fmt: skip


def said(model: Any, prompt: Sequence[int], ids: Sequence[int], mask: Sequence[int]) -> torch.Tensor:
    """Sum of the log-probabilities of the sampled tokens: one reply, all logits, one token after the other."""
    logits = model(torch.tensor([[*prompt, *ids]])).logits[0].float().log_softmax(-1)
    return sum((logits[len(prompt) + at - 1, i] for at, i in enumerate(ids) if mask[at]), torch.zeros(()))


def slowly(
    pairs: Sequence[Pair], base: Path, settings: Settings, preference: Preference
) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Loss of each step and the trained weights: one pair at a time, torch's AdamW, nothing of TRL."""
    model: Any = load(base, settings)
    with torch.no_grad():
        chosen_before = [said(model, pair.prompt_ids, pair.chosen_ids, pair.chosen_mask) for pair in pairs]
        rejected_before = [said(model, pair.prompt_ids, pair.rejected_ids, pair.rejected_mask) for pair in pairs]
    weights = [each for each in model.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=settings.lr, weight_decay=0.0)
    curve, steps = [], plan(len(pairs), settings)
    for number, step in enumerate(steps):
        optimiser.param_groups[0]["lr"] = settings.lr * (1 - number / len(steps))
        losses = []
        for at in step:
            pair = pairs[at]
            chosen = said(model, pair.prompt_ids, pair.chosen_ids, pair.chosen_mask)
            rejected = said(model, pair.prompt_ids, pair.rejected_ids, pair.rejected_mask)
            margin = (chosen - chosen_before[at]) - (rejected - rejected_before[at])
            loss = -torch.log(torch.sigmoid(preference.beta * margin))
            length = (
                sum(pair.chosen_mask) if preference.norm == "completion" else len(pair.prompt_ids + pair.chosen_ids)
            )
            losses.append(loss - preference.alpha * chosen / length)
        total = torch.stack(losses).sum()
        optimiser.zero_grad()
        (total / settings.batch).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        curve.append(float(total.detach()) / len(step))
    return curve, {name: each.detach() for name, each in model.named_parameters() if each.requires_grad}


def branched(folder: Path, tasks: int, *, split: str = "train") -> Path:
    """A run folder of a chain that speaks twice at every seat; whoever begins with a right word is right."""
    batch, scored = [], []
    for task in range(tasks):
        decisions = [_decision(role, task, draw) for role in ROLES for draw in range(2)]
        leaves = tuple(
            Leaf(tuple(Key(f"{role}{task}", draw) for role in ROLES), None, "end", Usage()) for draw in range(2)
        )
        item = Task(f"t{task}", f"{task} + 1?", split=split)
        batch.append(Trajectory(f"t{task}", item, 0, "team", tuple(decisions), (), leaves))
        scored.append(Scored(batch[-1], ({"task": 1.0}, {"task": 0.0})))
    with open_run(folder, create=True) as run:
        for trajectory in batch:
            run.add(trajectory)
        asyncio.run(run.flushed())
        tables = nested_mean()(scored)
        run.annotate("nested_mean", {each.id: table for each, table in zip(batch, tables, strict=True)})
    return folder


def _decision(role: str, task: int, draw: int) -> Decision:
    place = ROLES.index(role)
    prompt, output = (60 + task % 20, 70 + place, 71), (90, 91, 2) if draw else (80 + task % 9, 2)
    text = "another thing" if draw else "good words"
    completion = Completion(
        text, prompt, output, logprobs=None, mask=(1,) * len(output), finish="stop", usage=Usage(calls=1)
    )
    return Decision(
        Key(f"{role}{task}", draw), (), role, role, role, 0, 0, f"{role}@0", "w", Request((("user", "x"),)), completion
    )
