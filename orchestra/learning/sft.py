"""Fitting one policy to rows, by our packed trainer or by TRL's.

    L = - sum over rows and labelled tokens of w log p(token | what precedes it) / number of labelled tokens of the step

The sum runs over the whole step, all micro-batches and processes together, so that cutting it otherwise changes
nothing. The same rows, settings and number of processes give the same adapter, byte for byte, on the same machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from torch import Tensor

from orchestra.errors import BadData, BadInput
from orchestra.learning import fitting, loop, trainable
from orchestra.learning.loop import Keep
from orchestra.learning.packing import Weighed, labelled
from orchestra.learning.quiet import quiet
from orchestra.learning.row import Row
from orchestra.learning.settings import Settings
from orchestra.learning.trainable import Trainable


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A trained policy, still in memory."""

    model: Trainable
    state: Mapping[str, Tensor] | None
    """Its state dict, whole on the first process, where the weights may lie in shards; else None."""
    curve: tuple[float, ...]
    """Loss of each optimiser step: mean over its labelled tokens, before the step was taken."""
    tokens: int
    """In the rows read, every epoch counted, padding not; what a tree reads once counts for each of its rows."""
    seconds: float
    """Of this process; what was done before a checkpoint is not in it."""


def fit(
    rows: Sequence[Row],
    base: Path,
    settings: Settings,
    *,
    weights: Sequence[float] | None = None,
    init: Path | None = None,
    full: bool = False,
    keep: Keep | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Fit:
    """Trains what `trainable.load` gives for the model folder `base`, the folder `init` and `full`.

    A row's labelled tokens count `weights` times, None: once each. With `keep`, the packed trainer leaves checkpoints
    there and goes on from the newest. `report` gets steps done and their total. The base is read from disk for each
    fit: a third of a second for 135M parameters, and one policy's training cannot show in another's. Raises BadData
    where rows or adapter do not fit the model, BadInput where settings and launcher do not go together, RunFailed where
    the loss is no longer finite.
    """
    with quiet():
        if settings.trainer == "packed":
            loop.launch(settings, keep)  # first: it finds the other processes, and refuses shards
            model = trainable.load(base, settings, init=init, full=full)
            weighed = _checked(rows, weights, model.config.vocab_size, settings)
            started = time.monotonic()
            curve, state = fitting.fitted(model, weighed, settings, report=report, keep=keep), None
        else:
            from orchestra.learning import with_trl  # noqa: PLC0415  (trl and datasets take seconds to import)

            arguments = with_trl.arguments(rows, settings)  # first, as above
            model = trainable.load(base, settings, init=init, full=full)
            _checked(rows, weights, model.config.vocab_size, settings)
            started = time.monotonic()
            model, state, curve = with_trl.fitted(model, rows, base, arguments, report)
        tokens = settings.epochs * sum(len(row.input_ids) for row in rows)
        return Fit(model, state, curve, tokens, time.monotonic() - started)


def save(model: Trainable, folder: Path, *, base_name: str) -> None:
    """Writes PEFT's adapter_config.json and adapter_model.safetensors; the base is named, not where it lies."""
    trainable.save(model, folder, base=folder, base_name=base_name)


def _checked(
    rows: Sequence[Row], weights: Sequence[float] | None, vocabulary: int, settings: Settings
) -> list[Weighed]:
    """The rows with their weights; raises BadInput or BadData where they cannot be trained on."""
    if settings.trainer == "trl" and weights is not None and any(weight != 1 for weight in weights):
        raise BadInput("TRL's trainer counts all rows alike; fix: --trainer packed, or --weigh one")
    if not rows:
        raise BadData("expected rows to learn from, got none; fix: collect more, or a lower --over")
    weighed = [Weighed(*each) for each in zip(rows, weights or [1.0] * len(rows), strict=True)]
    for row, weight in weighed:
        where = f"trajectory {row.run}"
        if not (isfinite(weight) and weight >= 0):
            raise BadData(f"{where}: expected a finite weight >= 0, got {weight!r}; fix: annotate the run again")
        if len(row.labels) != len(row.input_ids) or not labelled(row):
            raise BadData(
                f"{where}: expected a labelled token after the first, got {len(row.input_ids)} tokens, "
                f"{labelled(row)} labelled; fix: leave the row out"
            )
        foreign = [token for token in row.input_ids if not 0 <= token < vocabulary]
        if foreign:
            raise BadData(
                f"{where}: expected token ids below {vocabulary}, got {foreign[0]}; fix: train the model that spoke"
            )
        if len(row.input_ids) > settings.max_tokens_per_step:
            raise BadData(
                f"{where}: expected at most {settings.max_tokens_per_step} tokens, "
                f"got {len(row.input_ids)}; fix: raise --max-tokens-per-step"
            )
    return weighed
