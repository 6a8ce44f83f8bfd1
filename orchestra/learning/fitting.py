"""Learning from rows by the packed trainer: what its loop asks for at each step.

    gradient of a step = - sum_u w_u sum_k m_{u,k} grad log p(y_{u,k} | x_u, y_{u,<k}) / sum_u sum_k m_{u,k}

over all rows u of the step, however they are cut into packs and dealt to processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from orchestra.learning import loop, losses
from orchestra.learning.batching import share, steps
from orchestra.learning.loop import Keep, Part
from orchestra.learning.packing import Weighed, labelled, packs
from orchestra.learning.scorer import Scorer
from orchestra.learning.settings import Settings
from orchestra.learning.trainable import Trainable

PACK = 1024
"""Tokens of a pack of several rows: attention over a tree costs the square of it, matrix products gain no more."""


def fitted(
    model: Trainable,
    rows: Sequence[Weighed],
    settings: Settings,
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
    keep: Keep | None = None,
) -> tuple[float, ...]:
    """Trains the parameters of `model` that require gradients, in place; returns the loss of each step.

    Raises RunFailed, naming step and rows, where a loss or gradient is not finite, before the weights are touched.
    """
    accelerator = loop.launch(settings, keep)
    model.to(accelerator.device)
    scorer = Scorer(model)
    model.train()
    planned = steps([row for row, _ in rows], settings)

    def gradient(step: int) -> Part:
        batch = [rows[index] for index in planned[step]]
        places = share([row for row, _ in batch], accelerator.process_index, accelerator.num_processes)
        own, total = [batch[place] for place in places], sum(labelled(row) for row, _ in batch)
        return accumulate(scorer, own, total, min(PACK, settings.max_tokens_per_step), accelerator.device)

    curve = loop.fitted(accelerator, model, len(planned), gradient, settings, report=report, keep=keep)
    return tuple(figures["loss"] for figures in curve)


def accumulate(scorer: Scorer, rows: Sequence[Weighed], total: int, budget: int, device: torch.device) -> Part:
    """Adds the gradient of these rows' part of a step with `total` labelled tokens to `.grad`, pack by pack."""
    done, finite = torch.zeros((), device=device), True
    for pack in packs(rows, budget):
        placed = pack.to(device)
        logprobs = scorer(placed)
        loss = losses.sft(logprobs, placed.weights, total)
        loss.backward()  # type: ignore[no-untyped-call]
        done += loss.detach()
        finite = finite and bool(logprobs.isfinite().all())
    return Part({"loss": done}, [] if finite else _bad(scorer, rows, device))


def _bad(scorer: Scorer, rows: Sequence[Weighed], device: torch.device) -> list[str]:
    """Names of the rows that are not finite read alone: slow, and only where a step has failed already."""
    with torch.no_grad():
        return [_name(row) for row in rows if not scorer(packs([row], 0)[0].to(device)).isfinite().all()]


def _name(weighed: Weighed) -> str:
    key = weighed.row.key
    return f"{weighed.row.run}:{key.state}/{key.draw}"
