"""TRL's DPOTrainer on exact ids: what the packed trainer is measured against, and what DeepSpeed takes.

Every step has as many places: the last of an epoch is filled up with pairs without tokens, which have no gradient, so
micro-batches and processes change neither a step nor its figures. Where TRL would encode text again, cut a prompt's end
or score a token that a grammar forced, nothing is encoded, cut or scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, log
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from peft import PeftModel
from torch import Tensor
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from orchestra.errors import BadInput, RunFailed
from orchestra.learning.loop import Figures
from orchestra.learning.pairs import Pair
from orchestra.learning.preference import Preference
from orchestra.learning.reference import LogProbs, logprobs
from orchestra.learning.settings import Settings, processes
from orchestra.learning.trainable import Trainable
from orchestra.learning.with_trl import common

Places = Sequence[Sequence[int | None]]
"""Of the pairs of each step; None fills up."""


class Done(NamedTuple):
    """What came of it."""

    model: Trainable
    state: Mapping[str, Tensor]
    """Its state dict, whole on the first process wherever the weights lie in shards."""
    curve: list[Figures]


def fitted(
    model: Trainable,
    pairs: Sequence[Pair],
    steps: Sequence[Sequence[int]],
    base: Path,
    arguments: DPOConfig,
    settings: Settings,
    preference: Preference,
    report: Callable[[int, int], None],
) -> Done:
    """Trains the parameters of `model` that require gradients. Raises RunFailed where the loss is not finite."""
    places: Places = [[*step, *[None] * (settings.batch - len(step))] for step in steps]
    model.to(arguments.device)  # type: ignore[arg-type] # its wrapper hides the signature
    known = logprobs(model, pairs, settings.max_tokens_per_step)
    with TemporaryDirectory() as scratch:
        arguments.output_dir = scratch
        trainer = PairTrainer(
            preference,
            model=model,
            args=arguments,
            train_dataset=_dataset(pairs, known, places),
            data_collator=Masked(pad_token_id=0),  # masked, so any id will do
            processing_class=AutoTokenizer.from_pretrained(base, local_files_only=True),
            callbacks=[_Watch(report, pairs, places)],
        )
        trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is the caller's
        trainer.train()
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    whole = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    return Done(whole, state, _curve(trainer.state.log_history, places, preference))


def arguments(pairs: Sequence[Pair], settings: Settings, preference: Preference) -> DPOConfig:
    """Of TRL's trainer. Raises BadInput where processes cannot share a batch."""
    world = processes()[1]
    if settings.batch % world:
        raise BadInput(
            f"expected a batch that {world} processes can share, got {settings.batch}; fix: a multiple of {world}"
        )
    own = settings.batch // world
    longest = max(len(pair.prompt_ids) + max(len(pair.chosen_ids), len(pair.rejected_ids)) for pair in pairs)
    fits = max(1, settings.max_tokens_per_step // (2 * longest))
    micro = max(n for n in range(1, own + 1) if own % n == 0 and n <= fits)
    return DPOConfig(
        **common(settings),
        beta=preference.beta,
        loss_type=["sigmoid"],
        precompute_ref_log_probs=True,  # by us
        max_length=None,
        remove_unused_columns=False,  # masks
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=own // micro,
        train_sampling_strategy="sequential",
        num_train_epochs=1,  # the dataset has all of them
    )


class Masked(DataCollatorForPreference):
    """TRL's collator, with forced tokens out of the completion mask."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        sides = [(each, each[side]) for side in ("chosen_mask", "rejected_mask") for each in examples]
        for row, (example, mask) in enumerate(sides):
            first = len(example["prompt_ids"])
            batch["completion_mask"][row, first : first + len(mask)] = torch.tensor(mask)
        return batch


class PairTrainer(DPOTrainer):
    """Takes ids and reference log-probabilities as they are. What it overrides is private: tests pin all of it."""

    def __init__(self, preference: Preference, **options: Any) -> None:
        self._preference = preference
        super().__init__(**options)
        if isinstance(self.model, PeftModel) and "ref" in self.model.peft_config:
            self.model.delete_adapter("ref")  # TRL's own copy of the start; ours are numbers

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _compute_loss(self, model: Any, inputs: dict[str, Tensor], return_outputs: bool) -> Tensor:
        seen: list[Any] = []

        def forward(**arguments: Any) -> Any:
            seen.append(model(**arguments))
            return seen[-1]

        loss: Tensor = super()._compute_loss(forward, inputs, return_outputs)  # type: ignore[no-untyped-call]
        if self._preference.alpha == 0:
            return loss
        chosen: Tensor = seen[0].log_probs.sum(dim=1).chunk(2)[0]
        counted = "completion_mask" if self._preference.norm == "completion" else "attention_mask"
        length = inputs[counted].chunk(2)[0].sum(dim=1).clamp(min=1)
        return loss - self._preference.alpha * (chosen / length).mean()


class _Watch(TrainerCallback):
    """Tells how far training is, and ends it at the first loss that is no number."""

    def __init__(self, report: Callable[[int, int], None], pairs: Sequence[Pair], places: Places) -> None:
        self.report, self.pairs, self.places = report, pairs, places

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.report(state.global_step, state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not isfinite(loss):
            met = [self.pairs[at] for at in self.places[state.global_step - 1] if at is not None]
            names = ", ".join(f"{pair.run}:{pair.chosen.state}" for pair in met[:3])
            raise RunFailed(
                f"expected a finite loss, got {loss} at step {state.global_step}, pairs {names}"
                f"{', ...' if len(met) > 3 else ''}; fix: lower --lr"
            )


def _dataset(pairs: Sequence[Pair], known: Sequence[LogProbs], places: Places) -> Dataset:
    """Every place of every step, in order; what fills up comes last among the distinct rows."""
    rows = [
        {
            "prompt_ids": pair.prompt_ids, "chosen_ids": pair.chosen_ids, "rejected_ids": pair.rejected_ids,
            "chosen_mask": pair.chosen_mask, "rejected_mask": pair.rejected_mask,
            "ref_chosen_logps": own.chosen, "ref_rejected_logps": own.rejected,
        }
        for pair, own in zip(pairs, known, strict=True)
    ]  # fmt: skip
    nothing = {"ref_chosen_logps": 0.0, "ref_rejected_logps": 0.0}
    rows.append({name: nothing.get(name, (0,)) for name in rows[0]})
    return Dataset.from_list(rows).select([len(pairs) if at is None else at for step in places for at in step])


def _curve(history: Sequence[Mapping[str, float]], places: Places, preference: Preference) -> list[Figures]:
    """Figures of each step over its pairs alone: what fills up has loss ln 2, and nothing else."""
    curve = []
    for entry, step in zip((entry for entry in history if "loss" in entry), places, strict=True):
        real = sum(at is not None for at in step)
        scale, empty = len(step) / real, len(step) - real
        shift = scale / preference.beta
        curve.append(
            {
                "loss": scale * entry["loss"] - log(2) * empty / real,
                "accuracy": scale * entry["rewards/accuracies"],
                "margin": scale * entry["rewards/margins"],
                "chosen_shift": shift * entry["rewards/chosen"],
                "rejected_shift": shift * entry["rewards/rejected"],
            }
        )
    return curve
