"""Fitting one policy to rows: TRL's SFTTrainer as it is, on token ids, with LoRA (arXiv 2106.09685).

    L = - sum over rows and labelled tokens of log p(token | what precedes it) / number of labelled tokens of the step

The sum runs over the whole step, all micro-batches and processes together, so that cutting it otherwise changes
nothing. The adapter is on every linear layer but the head. The same rows, settings and number of processes give the
same adapter, byte for byte, on the same machine.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate import PartialState  # type: ignore[import-untyped]
from datasets import Dataset  # type: ignore[import-untyped]
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from transformers.utils import logging
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from orchestra.errors import BadData, BadInput, RunFailed
from orchestra.learning.row import Row
from orchestra.learning.settings import Settings, processes


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A trained policy, still in memory."""

    model: PeftModel
    curve: tuple[float, ...]
    """Loss of each optimiser step: mean over its labelled tokens, before the step was taken."""
    tokens: int
    """Read in training, every epoch counted, padding not."""
    seconds: float


def fit(
    rows: Sequence[Row],
    base: Path,
    settings: Settings,
    *,
    init: Path | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Fit:
    """Trains a new adapter on the model folder `base`, or goes on from the adapter folder `init`.

    `report` gets steps done and their total. The base is read from disk for each fit: a third of a second for 135M
    parameters, and one policy's training cannot show in another's. Raises BadData where the rows do not fit the model,
    RunFailed where the loss is no longer finite.
    """
    with _quiet():
        return _fit(rows, base, settings, init, report)


def save(model: PeftModel, folder: Path, *, base_name: str) -> None:
    """Writes PEFT's adapter_config.json and adapter_model.safetensors; the base is named, not where it lies."""
    model.peft_config["default"].base_model_name_or_path = base_name
    model.save_pretrained(str(folder), save_embedding_layers=False)


def barrier() -> None:
    """Returns once every process is here; at once where there is one."""
    PartialState().wait_for_everyone()


class _Progress(TrainerCallback):
    def __init__(self, report: Callable[[int, int], None]) -> None:
        self.report = report

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.report(state.global_step, state.max_steps)


def _fit(
    rows: Sequence[Row], base: Path, settings: Settings, init: Path | None, report: Callable[[int, int], None]
) -> Fit:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, local_files_only=True)
    _check(rows, model.config.vocab_size, settings)
    lora = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=model if init is None else PeftModel.from_pretrained(model, init, is_trainable=True),
            args=_arguments(rows, settings, scratch),
            train_dataset=Dataset.from_dict(
                {"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]}
            ),
            processing_class=AutoTokenizer.from_pretrained(base, local_files_only=True),
            peft_config=lora if init is None else None,
            callbacks=[_Progress(report)],
        )
        trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is the caller's
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    curve = tuple(float(entry["loss"]) for entry in logged)
    if not all(map(isfinite, curve)):
        raise RunFailed(f"expected a finite loss, got {curve[-1]} after {len(curve)} steps; fix: a lower --lr")
    return Fit(trainer.accelerator.unwrap_model(trainer.model), curve, int(logged[-1]["num_tokens"]), seconds)


def _arguments(rows: Sequence[Row], settings: Settings, scratch: str) -> SFTConfig:
    """TRL turns autocast and checkpointing on by default: the one refuses CPUs, the other recomputes every forward.

    Weights are bf16 as loaded and the adapter is fp32: on a CPU a third faster than fp32 throughout and faster than
    autocast, with the same curve.
    """
    own = settings.batch // processes()[1]
    longest = max(len(row.input_ids) for row in rows)
    micro = max(
        n for n in range(1, own + 1) if own % n == 0 and (n == 1 or n * longest <= settings.max_tokens_per_step)
    )
    cpu = not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")
    return SFTConfig(
        output_dir=scratch,
        use_cpu=cpu,
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=own // micro,
        num_train_epochs=settings.epochs,
        learning_rate=settings.lr,
        lr_scheduler_type="linear",
        max_length=None,
        train_sampling_strategy="group_by_length",
        seed=settings.seed,
        data_seed=settings.seed,
        dataloader_pin_memory=not cpu,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def _check(rows: Sequence[Row], vocabulary: int, settings: Settings) -> None:
    world = processes()[1]
    if settings.batch % world:
        raise BadInput(
            f"expected a batch that {world} processes can share, got {settings.batch}; fix: a multiple of {world}"
        )
    for row in rows:
        if max(row.input_ids) >= vocabulary:
            raise BadData(
                f"trajectory {row.run}: expected token ids below {vocabulary}, got {max(row.input_ids)}; "
                "fix: train the model that spoke"
            )
        if len(row.input_ids) > settings.max_tokens_per_step:
            raise BadData(
                f"trajectory {row.run}: expected at most {settings.max_tokens_per_step} tokens, "
                f"got {len(row.input_ids)}; fix: raise --max-tokens-per-step"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the loading bar, and without warnings of an option's new name, which this TRL does not know yet."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`(is_)?gradient_checkpointing`", FutureWarning)
            yield
    finally:
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]
