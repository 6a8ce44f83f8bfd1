"""TRL's SFTTrainer as it is, on token ids: what the packed trainer is measured against, and what DeepSpeed takes.

It projects and pads: every position of a micro-batch, as long as its longest row. All rows count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from datasets import Dataset  # type: ignore[import-untyped]
from torch import Tensor
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from orchestra.errors import BadInput, RunFailed
from orchestra.learning import launcher
from orchestra.learning.row import Row
from orchestra.learning.settings import Settings, processes
from orchestra.learning.trainable import Trainable


class Done(NamedTuple):
    """What came of it."""

    model: Trainable
    state: Mapping[str, Tensor]
    """Its state dict, whole on the first process wherever the weights lie in shards."""
    curve: tuple[float, ...]
    """Loss of each step."""


def fitted(
    model: Trainable,
    rows: Sequence[Row],
    base: Path,
    arguments: SFTConfig,
    report: Callable[[int, int], None],
    callbacks: Sequence[TrainerCallback] = (),
) -> Done:
    """Trains the parameters of `model` that require gradients. Raises RunFailed where the loss is not finite."""
    with TemporaryDirectory() as scratch:
        arguments.output_dir = scratch
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(
                {"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]}
            ),
            processing_class=AutoTokenizer.from_pretrained(base, local_files_only=True),
            callbacks=[_Progress(report), *callbacks],
        )
        trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is the caller's
        trainer.train()
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    curve = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    if not all(map(isfinite, curve)):
        raise RunFailed(f"expected a finite loss, got {curve[-1]} after {len(curve)} steps; fix: a lower --lr")
    return Done(trainer.accelerator.unwrap_model(trainer.model_wrapped), state, curve)


def arguments(rows: Sequence[Row], settings: Settings) -> SFTConfig:
    """TRL turns autocast and checkpointing on by default: the one refuses CPUs, the other recomputes every forward.

    Weights are bf16 as loaded and the adapter is fp32: on a CPU a third faster than fp32 throughout and faster than
    autocast, with the same curve. Raises BadInput where processes cannot share a batch.
    """
    world = processes()[1]
    if settings.batch % world:
        raise BadInput(
            f"expected a batch that {world} processes can share, got {settings.batch}; fix: a multiple of {world}"
        )
    own = settings.batch // world
    longest = max((len(row.input_ids) for row in rows), default=1)
    micro = max(
        n for n in range(1, own + 1) if own % n == 0 and (n == 1 or n * longest <= settings.max_tokens_per_step)
    )
    return SFTConfig(
        **common(settings),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=own // micro,
        num_train_epochs=settings.epochs,
        max_length=None,
        train_sampling_strategy="group_by_length",
    )


def common(settings: Settings) -> dict[str, Any]:
    """What every trainer of TRL's is told: the settings, a log of every step, and nothing that we do ourselves."""
    return {
        **launcher.arguments(settings.precision),
        "gradient_checkpointing": False,
        "learning_rate": settings.lr,
        "lr_scheduler_type": "linear",
        "seed": settings.seed,
        "data_seed": settings.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }


class _Progress(TrainerCallback):
    def __init__(self, report: Callable[[int, int], None]) -> None:
        self.report = report

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.report(state.global_step, state.max_steps)
