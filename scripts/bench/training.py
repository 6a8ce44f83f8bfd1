"""Our packed trainer beside TRL's SFTTrainer on the rows of sibling trees: rows a second, peak memory, equal gradients.

    python -m scripts.bench.training [--model smollm2] [--tasks 2] [--rows 48] [--batch 16] [--turns 3] [--threads N]
                                     [--trajectories RUN_DIR] [--json]

The rows are the decisions of 3 x 3 x 3 trees of `chain` on `arith`, collected first or read from a run folder: of all
roles together, as `--share` trains them, whatever they are worth. Both trainers get the same rows and settings: LoRA
r=16 on every linear layer, bf16 base, no checkpointing of activations. They take turns in one process, every second
time backwards, after a fit that is not counted; the first step of a fit is not timed, and medians are shown. `read` is
how many tokens go through the network for each token of the rows: padding adds to it, sharing takes away. Peak memory
is of a process of its own for each. Loss and gradient of one step are compared in fp32 in the same run; the benchmark
fails where one differs by more than 1e-4, the gradient as a share of its largest entry.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from orchestra.learning import Row, Settings
from orchestra.learning.batching import steps
from orchestra.learning.fitting import PACK, accumulate
from orchestra.learning.loop import CLIP
from orchestra.learning.packing import Weighed, labelled, packs
from orchestra.learning.quiet import quiet
from orchestra.learning.row import row_of
from orchestra.learning.scorer import Scorer
from orchestra.learning.sft import fit
from orchestra.learning.trainable import load
from orchestra.learning.with_trl import arguments, fitted
from orchestra.models import names
from orchestra.trajectory.store import open_run
from scripts.bench.engine import machine

TRAINERS = ("packed", "trl")
APART = 1e-4
"""More than this share of the largest entry is another gradient."""


@dataclass(frozen=True, slots=True)
class Result:
    """Both trainers on the same rows."""

    rows: int
    tokens: int
    """Of a row, mean."""
    rows_per_s: dict[str, float]
    read: dict[str, float]
    """Tokens through the network for each token of the rows."""
    megabytes: dict[str, float]
    loss_apart: float
    gradient_apart: float
    """Largest difference of an entry, as a share of the largest entry."""
    ratio: float
    """Of rows a second."""


def collected(model: str, tasks: int, folder: Path) -> Path:
    program = str(Path(sys.executable).with_name("orchestra"))
    words = ["collect", "chain", "arith:add2", "--model", model, "--n", str(tasks), "--branch", "3"]
    subprocess.run([program, *words, "--out", str(folder)], check=True, stdout=sys.stderr)  # noqa: S603  (our own)
    return folder


def rows_of(run: Path, count: int) -> list[Row]:
    with open_run(run) as opened:
        decisions = ((each, decision) for each in opened.trajectories() for decision in each.decisions)
        sampled = (pair for pair in decisions if pair[1].completion is not None and pair[1].completion.output_ids)
        return [row_of(*pair, None) for pair in islice(sampled, count)]


def timed(rows: Sequence[Row], base: Path, settings: Settings) -> float:
    """Rows a second, from the end of the first step."""
    marks: list[float] = []
    fit(rows, base, settings, report=lambda done, total: marks.append(time.perf_counter()))
    return (len(rows) - settings.batch) / (marks[-1] - marks[0])


def rates(rows: Sequence[Row], base: Path, settings: Settings, turns: int) -> dict[str, float]:
    seen: dict[str, list[float]] = {trainer: [] for trainer in TRAINERS}
    for turn in range(-1, turns):
        for trainer in TRAINERS[:: 1 if turn % 2 else -1]:
            rate = timed(rows, base, replace(settings, trainer=trainer))  # type: ignore[arg-type]
            if turn >= 0:
                seen[trainer].append(rate)
    return {trainer: statistics.median(each) for trainer, each in seen.items()}


def read(rows: Sequence[Row], settings: Settings) -> dict[str, float]:
    """TRL pads micro-batches of rows of about equal length; its order is another in each epoch, so this is its best."""
    tokens = sum(len(row.input_ids) for row in rows)
    trees = sum(
        pack.ids.shape[1]
        for step in steps(rows, settings)
        for pack in packs([Weighed(rows[index], 1.0) for index in step], PACK)
    )
    micro = arguments(rows, settings).per_device_train_batch_size
    lengths = sorted((len(row.input_ids) for row in rows), reverse=True)
    padded = sum(len(lengths[at : at + micro]) * lengths[at] for at in range(0, len(lengths), micro))
    return {"packed": trees / tokens, "trl": padded / tokens}


class Kept(TrainerCallback):
    """The gradient of the step, as TRL has clipped it."""

    def __init__(self) -> None:
        self.gradient: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self.gradient = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


def apart(rows: Sequence[Row], base: Path, settings: Settings) -> tuple[float, float]:
    """How far loss and gradient of one step over these rows differ, from weights that a first step has moved."""
    one = replace(settings, precision="fp32", epochs=1, batch=len(rows))
    with quiet():
        kept, model = Kept(), load(base, one)
        moved(model)
        theirs = fitted(model, rows, base, arguments(rows, one), lambda *_: None, [kept]).curve[0]
        model = load(base, one)
        moved(model)
    own = accumulate(Scorer(model), [Weighed(row, 1.0) for row in rows], sum(map(labelled, rows)), PACK, model.device)
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    ours = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    largest = max(float(each.abs().max()) for each in kept.gradient.values())
    assert ours.keys() == kept.gradient.keys()
    worst = max(float((each - kept.gradient[name]).abs().max()) for name, each in ours.items())
    return abs(float(own.figures["loss"]) - theirs), worst / largest


def peak_mb() -> float:
    """Of this process alone, in MB. getrusage would tell the parent's peak where that was higher: Linux hands it on."""
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def moved(model: Any) -> None:
    """A fresh LoRA has B = 0, so that half of its gradient is 0: this fills B."""
    generator = torch.Generator().manual_seed(0)
    for name, each in model.named_parameters():
        if "lora_B" in name:
            each.data.normal_(std=0.01, generator=generator)


def megabytes(trainer: str, run: Path, options: argparse.Namespace) -> float:
    """Peak of a process that takes two steps."""
    words = ["--child", trainer, "--trajectories", str(run), "--model", options.model, "--batch", str(options.batch)]
    words += ["--rows", str(2 * options.batch), "--threads", str(options.threads)]
    command = [sys.executable, "-m", "scripts.bench.training", *words]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603  (this file)


def child(options: argparse.Namespace) -> None:
    rows = rows_of(options.trajectories, options.rows)
    fit(rows, names.folder(options.model), Settings(epochs=1, batch=options.batch, trainer=options.child))
    print(peak_mb())


def measure(run: Path, options: argparse.Namespace) -> Result:
    base, rows = names.folder(options.model), rows_of(run, options.rows)
    settings = Settings(epochs=1, batch=options.batch)
    if len(rows) < 2 * options.batch:
        raise SystemExit(f"expected rows for two steps of {options.batch}, got {len(rows)}; fix: more --tasks")
    loss, gradient = apart(rows[-options.batch :], base, settings)
    if max(loss, gradient) > APART:
        raise AssertionError(f"loss differs by {loss:.1e}, gradient by {gradient:.1e} of its largest entry")
    speed = rates(rows, base, settings, options.turns)
    return Result(
        len(rows),
        round(statistics.mean(len(row.input_ids) for row in rows)),
        speed,
        read(rows, settings),
        {trainer: megabytes(trainer, run, options) for trainer in TRAINERS},
        loss,
        gradient,
        speed["packed"] / speed["trl"],
    )


def table(result: Result) -> str:
    lines = ["| trainer | rows/s | read | peak MB |", "|---|---|---|---|"]
    for trainer in TRAINERS:
        figures = f"{result.rows_per_s[trainer]:.2f} | {result.read[trainer]:.2f} | {result.megabytes[trainer]:.0f}"
        lines.append(f"| {trainer} | {figures} |")
    equal = f"loss apart {result.loss_apart:.1e}, gradient {result.gradient_apart:.1e} of its largest entry"
    return "\n".join([*lines, f"{result.ratio:.2f}x; {result.rows} rows of {result.tokens} tokens; {equal}"])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="smollm2")
    add("--tasks", type=int, default=2, help="trees to collect")
    add("--rows", type=int, default=72, help="at most")
    add("--batch", type=int, default=Settings().batch)
    add("--turns", type=int, default=3)
    add("--threads", type=int, default=torch.get_num_threads())
    add("--trajectories", type=Path, metavar="RUN_DIR")
    add("--json", action="store_true")
    add("--child", choices=TRAINERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    if options.child:
        child(options)
        return
    with tempfile.TemporaryDirectory() as scratch:
        run = options.trajectories or collected(options.model, options.tasks, Path(scratch) / "run")
        result = measure(run, options)
    if options.json:
        print(json.dumps({"model": options.model, "batch": options.batch, **asdict(result), "machine": machine()}))
    else:
        print(table(result))
        print(", ".join(f"{name} {value}" for name, value in machine().items()))


if __name__ == "__main__":
    main()
