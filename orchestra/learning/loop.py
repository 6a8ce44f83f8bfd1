"""The loop of our own trainers: one policy, one optimiser, on Accelerate's processes.

What the gradient of a step is, the caller says. Each process adds up its own part of it, and they meet once a step to
add up theirs; one with nothing to read adds zeros, so none waits for another in vain. Learning rate and random numbers
are functions of seed, step and process: a fit that goes on from a checkpoint is the fit that never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.utils import gather_object, is_tensorboard_available  # type: ignore[import-untyped]
from filelock import FileLock, Timeout
from torch import Tensor
from torch.nn import Parameter

from orchestra.atomic import make_folder
from orchestra.digest import digest
from orchestra.errors import BadInput, RunFailed, missing_extra
from orchestra.learning import launcher
from orchestra.learning.checkpoints import Checkpoint, Facts, newest, save
from orchestra.learning.settings import Settings
from orchestra.learning.trainable import Trainable

CLIP = 1.0
"""Largest norm of a step's gradient, as in transformers' Trainer."""
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps of a parameter."""

Figures = dict[str, float]
"""What was measured of one step, by name; "loss" is one."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Where checkpoints of a fit go, and what tells it from another."""

    folder: Path
    facts: Facts = field(default_factory=dict)
    tell: Callable[[str], None] = lambda line: None
    """Gets a line on each checkpoint that is passed over, and on the one that the fit goes on from."""
    curves: Path | None = None
    """Where a tracker writes."""


class Part(NamedTuple):
    """What one process's part of a step came to; its gradient is in `.grad`."""

    figures: Mapping[str, Tensor]
    """Each (): added up over all processes they are the figures of the step."""
    bad: list[str]
    """Names of what has a log-probability that is not finite."""


def fitted(
    accelerator: Any,
    model: Trainable,
    steps: int,
    gradient: Callable[[int], Part],
    settings: Settings,
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
    keep: Keep | None = None,
) -> list[Figures]:
    """Trains the parameters of `model` that require gradients, in place; returns the figures of each step.

    `gradient` adds this process's part of a step to `.grad`. Raises RunFailed, naming step and what was read, where a
    loss or gradient is not finite, before the weights are touched.
    """
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    optimiser = torch.optim.AdamW(trained.values(), lr=settings.lr, weight_decay=0.0, fused=True)
    accelerator.init_trackers("fit")
    with alone(keep.folder if keep is not None and accelerator.is_main_process else None):
        curve = _resumed(trained, optimiser, keep, accelerator.is_main_process)
        for step in range(len(curve), steps):
            torch.manual_seed(int(digest(str(settings.seed), str(step), str(accelerator.process_index))[:12], 16))
            lr = settings.lr * (1 - step / steps)
            for group in optimiser.param_groups:
                group["lr"] = lr
            for each in trained.values():
                each.grad = torch.zeros_like(each)
            curve.append(_whole(accelerator, list(trained.values()), gradient(step), step, keep))
            optimiser.step()
            accelerator.log({**curve[-1], "lr": lr}, step=step + 1)
            report(step + 1, steps)
            due = settings.save_every and (step + 1) % settings.save_every == 0 and step + 1 < steps
            if keep is not None and due and accelerator.is_main_process:
                save(keep.folder, _checkpoint(trained, optimiser, curve), keep.facts)
    for tracker in accelerator.trackers:
        tracker.finish()  # not end_training: the processes have more to do together
    return curve


def launch(settings: Settings, keep: Keep | None) -> Any:
    """The launcher's processes as an Accelerator; a second call finds the same. Raises BadInput for shards."""
    if launcher.sharded():
        raise BadInput("expected whole weights on each process, got DeepSpeed or FSDP; fix: --trainer trl")
    tracked = settings.report_to != "none"
    if tracked and not is_tensorboard_available():
        raise missing_extra("track", settings.report_to)
    return Accelerator(
        mixed_precision="no",
        cpu=launcher.on_cpu(),
        log_with=settings.report_to if tracked else None,
        project_dir=keep.curves if keep and tracked else None,
    )


def _whole(accelerator: Any, trained: Sequence[Parameter], part: Part, step: int, keep: Keep | None) -> Figures:
    """The figures of a step; leaves its gradient, clipped and equal on all processes, in `.grad`."""
    if accelerator.num_processes > 1:
        gradients = [each.grad for each in trained if each.grad is not None]
        add_up(accelerator, [*gradients, *part.figures.values()])
    norm = float(torch.nn.utils.clip_grad_norm_(trained, CLIP))
    figures = {name: float(value) for name, value in part.figures.items()}
    if not (isfinite(figures["loss"]) and isfinite(norm)):
        bad = sorted(set(gather_object(part.bad)))
        kept = f"; the last good checkpoint stays in {keep.folder}" if keep else ""
        raise RunFailed(
            f"expected a finite loss and gradient, got {figures['loss']} and {norm} at step {step + 1}, "
            f"rows {', '.join(bad) or 'together'}{kept}; fix: lower --lr, or drop these rows"
        )
    return figures


def add_up(accelerator: Any, tensors: Sequence[Tensor]) -> None:
    """Replaces each by its sum over all processes, in one exchange."""
    whole = accelerator.reduce(torch.cat([tensor.flatten() for tensor in tensors]), "sum")
    parts = whole.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


@contextmanager
def alone(folder: Path | None) -> Iterator[None]:
    """Held by the first process: two trainings into one folder would take each other's checkpoints for their own."""
    if folder is None:
        yield
        return
    make_folder(folder)
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise BadInput(
            f"expected a folder to itself, got one in use at {folder}; fix: wait, or another --output"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _resumed(
    trained: Mapping[str, Parameter], optimiser: torch.optim.Optimizer, keep: Keep | None, first: bool
) -> list[Figures]:
    """The figures so far; parameters and moments are set to what they were then."""
    found = newest(keep.folder, keep.facts, keep.tell if first else lambda line: None) if keep else None
    if keep is None or found is None:
        return []
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(found.adapter[name])
            moments = {each: found.optimiser[f"{name}/{each}"] for each in MOMENTS}
            optimiser.state[parameter] = {each: value.to(parameter.device) for each, value in moments.items()}
    if first:
        keep.tell(f"goes on after step {len(found.curve)}")
    return list(found.curve)


def _checkpoint(
    trained: Mapping[str, Parameter], optimiser: torch.optim.Optimizer, curve: Sequence[Figures]
) -> Checkpoint:
    moments = {f"{name}/{each}": optimiser.state[one][each] for name, one in trained.items() for each in MOMENTS}
    return Checkpoint(dict(trained), moments, tuple(curve))
