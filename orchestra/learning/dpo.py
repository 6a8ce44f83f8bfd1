"""Fitting one policy to preference pairs: TRL's DPOTrainer on exact ids, beside the policy that it started from.

    h(y)  = sum over sampled tokens of log pi(token | what precedes it) - the same under pi_ref
    L     = - log sigmoid(beta (h(y+) - h(y-))) - alpha log pi(y+) / length

(DPO, arXiv 2305.18290; with alpha RPO, normed for each pair as in Optima, arXiv 2410.08115.) pi_ref is the policy
before the first step; its log-probabilities are numbers beside the pairs, so no second model is kept. A step divides by
`batch`, and every step has as many places: the last of an epoch is filled up with pairs without tokens, which have no
gradient, so micro-batches and processes change neither a step nor its figures. Where TRL would encode text again, cut a
prompt's end or score a token that a grammar forced, nothing is encoded, cut or scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from peft import PeftModel
from torch import Tensor
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from orchestra.errors import BadData, BadInput, RunFailed
from orchestra.learning import launcher
from orchestra.learning.pairs import Pair
from orchestra.learning.preference import Preference
from orchestra.learning.quiet import quiet
from orchestra.learning.reference import LogProbs, logprobs
from orchestra.learning.settings import Settings, processes
from orchestra.learning.trainable import Trainable, load

FILL: Final = None
"""A place of a step that no pair takes."""


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
    state: Mapping[str, Tensor]
    """Its state dict, whole on the first process wherever the weights lie in shards."""
    curve: tuple[Figures, ...]
    tokens: int
    """Read in training, every epoch and both replies counted, padding not."""
    seconds: float


def fit(
    pairs: Sequence[Pair],
    base: Path,
    settings: Settings,
    preference: Preference,
    *,
    init: Path | None = None,
    full: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Fit:
    """Trains what `trainable.load` gives for the model folder `base`, the folder `init` and `full`.

    `report` gets steps done and their total. Raises BadData where the pairs do not fit the model, BadInput where
    processes cannot share a batch, RunFailed where the loss is no longer finite.
    """
    with quiet(), TemporaryDirectory() as scratch:
        model = load(base, settings, init=init, full=full)  # before ZeRO-3 knows: it would come in shards, unscorable
        _check(pairs, model.config.vocab_size, settings)
        config = _config(pairs, settings, preference, scratch)
        started = time.monotonic()
        model.to(config.device)  # type: ignore[arg-type] # its wrapper hides the signature
        known = logprobs(model, pairs, settings.max_tokens_per_step)
        steps = plan(len(pairs), settings)
        tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
        trainer = PairTrainer(
            preference,
            model=model,
            args=config,
            train_dataset=_dataset(pairs, known, steps),
            data_collator=Masked(pad_token_id=0),  # masked, so any id will do
            processing_class=tokenizer,
            callbacks=[_Watch(report, pairs, steps)],
        )
        trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is the caller's
        trainer.train()
        seconds = time.monotonic() - started
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    read = sum(2 * len(pair.prompt_ids) + len(pair.chosen_ids) + len(pair.rejected_ids) for pair in pairs)
    return Fit(
        trainer.accelerator.unwrap_model(trainer.model_wrapped), state, _curve(trainer, steps, preference),
        read * settings.epochs, seconds,
    )  # fmt: skip


def plan(count: int, settings: Settings) -> list[list[int | None]]:
    """Places of the pairs of each step, all epochs, in an order of seed and epoch; FILL where an epoch has run out.

    >>> [len(step) for step in plan(5, Settings(batch=4, epochs=2))]
    [4, 4, 4, 4]
    """
    steps: list[list[int | None]] = []
    for epoch in range(settings.epochs):
        order: list[int | None] = list(range(count))
        Random(f"{settings.seed}/{epoch}").shuffle(order)
        order += [FILL] * (-count % settings.batch)
        steps += (order[at : at + settings.batch] for at in range(0, len(order), settings.batch))
    return steps


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

    def __init__(
        self, report: Callable[[int, int], None], pairs: Sequence[Pair], steps: Sequence[Sequence[int | None]]
    ) -> None:
        self.report, self.pairs, self.steps = report, pairs, steps

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.report(state.global_step, state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not isfinite(loss):
            met = [self.pairs[at] for at in self.steps[state.global_step - 1] if at is not FILL]
            names = ", ".join(f"{pair.run}/{pair.chosen.state}" for pair in met[:3])
            raise RunFailed(
                f"expected a finite loss, got {loss} in step {state.global_step} of pairs {names}"
                f"{', ...' if len(met) > 3 else ''}; fix: a lower --lr"
            )


def _dataset(pairs: Sequence[Pair], known: Sequence[LogProbs], steps: Sequence[Sequence[int | None]]) -> Dataset:
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
    return Dataset.from_list(rows).select([len(pairs) if at is FILL else at for step in steps for at in step])


def _curve(trainer: PairTrainer, steps: Sequence[Sequence[int | None]], preference: Preference) -> tuple[Figures, ...]:
    """Figures of each step over its pairs alone: what fills up has loss ln 2, and nothing else."""
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    curve = []
    for entry, step in zip(logged, steps, strict=True):
        real = sum(at is not FILL for at in step)
        scale, empty = len(step) / real, len(step) - real
        shift = scale / preference.beta
        curve.append(
            Figures(
                scale * entry["loss"] - log(2) * empty / real, scale * entry["rewards/accuracies"],
                scale * entry["rewards/margins"], shift * entry["rewards/chosen"], shift * entry["rewards/rejected"],
            )
        )  # fmt: skip
    return tuple(curve)


def _config(pairs: Sequence[Pair], settings: Settings, preference: Preference, scratch: str) -> DPOConfig:
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
        output_dir=scratch,
        **launcher.arguments(settings.precision),
        beta=preference.beta,
        loss_type=["sigmoid"],
        precompute_ref_log_probs=True,  # by us
        max_length=None,
        remove_unused_columns=False,  # masks
        gradient_checkpointing=False,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=own // micro,
        train_sampling_strategy="sequential",
        num_train_epochs=1,  # the dataset has all of them
        learning_rate=settings.lr,
        lr_scheduler_type="linear",
        seed=settings.seed,
        data_seed=settings.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def _check(pairs: Sequence[Pair], vocabulary: int, settings: Settings) -> None:
    for pair in pairs:
        highest = max(*pair.prompt_ids, *pair.chosen_ids, *pair.rejected_ids)
        if highest >= vocabulary:
            raise BadData(
                f"trajectory {pair.run}: expected token ids below {vocabulary}, got {highest}; "
                "fix: train the model that spoke"
            )
        longest = len(pair.prompt_ids) + max(len(pair.chosen_ids), len(pair.rejected_ids))
        if longest > settings.max_tokens_per_step:
            raise BadData(
                f"trajectory {pair.run}: expected at most {settings.max_tokens_per_step} tokens, got {longest}; "
                "fix: raise --max-tokens-per-step"
            )
