"""The packed trainer: one policy, one optimiser, on Accelerate's processes.

    gradient of a step = - sum_u w_u sum_k m_{u,k} grad log p(y_{u,k} | x_u, y_{u,<k}) / sum_u sum_k m_{u,k}

over all rows u of the step, however they are cut into packs and dealt to processes: each adds up its own share, and
they meet once a step to add up theirs. A process with nothing to read adds zeros, so none waits for another in vain.
Learning rate and random numbers are functions of seed, step and process: a fit that goes on from a checkpoint is the
fit that never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from orchestra.learning import launcher, losses
from orchestra.learning.batching import share, steps
from orchestra.learning.checkpoints import Checkpoint, Facts, newest, save
from orchestra.learning.packing import Weighed, labelled, packs
from orchestra.learning.scorer import Scorer
from orchestra.learning.settings import Settings
from orchestra.learning.trainable import Trainable

PACK = 1024
"""Tokens of a pack of several rows: attention over a tree costs the square of it, matrix products gain no more."""
CLIP = 1.0
"""Largest norm of a step's gradient, as in transformers' Trainer."""
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps of a parameter."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Where checkpoints of a fit go, and what tells it from another."""

    folder: Path
    facts: Facts = field(default_factory=dict)
    tell: Callable[[str], None] = lambda line: None
    """Gets a line on each checkpoint that is passed over, and on the one that the fit goes on from."""
    curves: Path | None = None
    """Where a tracker writes."""


class Step(NamedTuple):
    """What the rows of a step came to on one process."""

    loss: Tensor
    """(), this process's part of the sum."""
    bad: list[str]
    """Rows of which a log-probability is not finite."""


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
    accelerator = launch(settings, keep)
    model.to(accelerator.device)
    scorer = Scorer(model)
    model.train()
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    optimiser = torch.optim.AdamW(trained.values(), lr=settings.lr, weight_decay=0.0, fused=True)
    planned = steps([row for row, _ in rows], settings)
    accelerator.init_trackers("fit")
    with _alone(accelerator, keep):
        curve = _resumed(trained, optimiser, keep, accelerator.is_main_process)
        for step in range(len(curve), len(planned)):
            torch.manual_seed(int(digest(str(settings.seed), str(step), str(accelerator.process_index))[:12], 16))
            for group in optimiser.param_groups:
                group["lr"] = settings.lr * (1 - step / len(planned))
            batch = [rows[index] for index in planned[step]]
            loss = _gradient(accelerator, scorer, trained.values(), batch, settings, step, keep)
            optimiser.step()
            curve.append(loss)
            accelerator.log({"loss": loss, "lr": optimiser.param_groups[0]["lr"]}, step=step + 1)
            report(step + 1, len(planned))
            due = settings.save_every and (step + 1) % settings.save_every == 0 and step + 1 < len(planned)
            if keep is not None and due and accelerator.is_main_process:
                save(keep.folder, _checkpoint(trained, optimiser, curve), keep.facts)
    accelerator.end_training()
    return tuple(curve)


def accumulate(scorer: Scorer, rows: Sequence[Weighed], total: int, budget: int, device: torch.device) -> Step:
    """Adds the gradient of these rows' part of a step with `total` labelled tokens to `.grad`, pack by pack."""
    done, finite = torch.zeros((), device=device), True
    for pack in packs(rows, budget):
        placed = pack.to(device)
        logprobs = scorer(placed)
        loss = losses.sft(logprobs, placed.weights, total)
        loss.backward()  # type: ignore[no-untyped-call]
        done += loss.detach()
        finite = finite and bool(logprobs.isfinite().all())
    return Step(done, [] if finite else _bad(scorer, rows, device))


def _gradient(
    accelerator: Any,
    scorer: Scorer,
    trained: Iterable[Parameter],
    batch: Sequence[Weighed],
    settings: Settings,
    step: int,
    keep: Keep | None,
) -> float:
    """The loss of a step; leaves its gradient, clipped and equal on all processes, in `.grad`."""
    parameters = list(trained)
    for each in parameters:
        each.grad = torch.zeros_like(each)
    own = share(batch, accelerator.process_index, accelerator.num_processes)
    total = sum(labelled(row) for row, _ in batch)
    found = accumulate(scorer, own, total, min(PACK, settings.max_tokens_per_step), accelerator.device)
    gradients = [each.grad for each in parameters if each.grad is not None]
    if accelerator.num_processes > 1:
        _add_up(accelerator, [*gradients, found.loss])
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, CLIP))
    loss = float(found.loss)
    if not (isfinite(loss) and isfinite(norm)):
        bad = sorted(set(gather_object(found.bad)))
        kept = f"; the last good checkpoint stays in {keep.folder}" if keep else ""
        raise RunFailed(
            f"expected a finite loss and gradient, got {loss} and {norm} at step {step + 1}, "
            f"rows {', '.join(bad or [_name(each) for each in batch])}{kept}; fix: lower --lr, or drop these rows"
        )
    return loss


def _add_up(accelerator: Any, tensors: Sequence[Tensor]) -> None:
    """Replaces each by its sum over all processes, in one exchange."""
    whole = accelerator.reduce(torch.cat([tensor.flatten() for tensor in tensors]), "sum")
    parts = whole.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def _bad(scorer: Scorer, rows: Sequence[Weighed], device: torch.device) -> list[str]:
    """Names of the rows that are not finite read alone: slow, and only where a step has failed already."""
    with torch.no_grad():
        return [_name(row) for row in rows if not scorer(packs([row], 0)[0].to(device)).isfinite().all()]


def _name(weighed: Weighed) -> str:
    key = weighed.row.key
    return f"{weighed.row.run}:{key.state}/{key.draw}"


def launch(settings: Settings, keep: Keep | None) -> Any:
    """The launcher's processes as an Accelerator; a second call finds the same. Raises BadInput for shards."""
    if launcher.sharded():
        raise BadInput("expected whole weights on each process, got DeepSpeed or FSDP; fix: --trainer trl")
    tracked = settings.report_to != "none"
    if tracked and not is_tensorboard_available():
        raise missing_extra("track", settings.report_to)
    accelerator = Accelerator(
        mixed_precision="no",
        cpu=launcher.on_cpu(),
        log_with=settings.report_to if tracked else None,
        project_dir=keep.curves if keep and tracked else None,
    )
    return accelerator


@contextmanager
def _alone(accelerator: Any, keep: Keep | None) -> Iterator[None]:
    """Held by the first process: two trainings into one folder would take each other's checkpoints for their own."""
    if keep is None or not accelerator.is_main_process:
        yield
        return
    make_folder(keep.folder)
    lock = FileLock(keep.folder / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise BadInput(
            f"expected a folder to itself, got one in use at {keep.folder}; fix: wait, or another --output"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _resumed(
    trained: Mapping[str, Parameter], optimiser: torch.optim.Optimizer, keep: Keep | None, first: bool
) -> list[float]:
    """The losses so far; parameters and moments are set to what they were then."""
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
    trained: Mapping[str, Parameter], optimiser: torch.optim.Optimizer, curve: Sequence[float]
) -> Checkpoint:
    moments = {f"{name}/{each}": optimiser.state[one][each] for name, one in trained.items() for each in MOMENTS}
    return Checkpoint(dict(trained), moments, tuple(curve))
