"""What recipes of one run folder and one adapter folder share: options, reading, refusing, publishing once, telling.

A policy whose data, settings, base and parents are those of the version that stands is not trained again; so stopping
loses the policy in hand, and the same command goes on there.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import fields, replace
from functools import partial
from math import ceil
from pathlib import Path
from shutil import copyfile
from statistics import fmean
from typing import Any, NoReturn

from orchestra.credit.credit import Annotation, Table
from orchestra.errors import BadData, BadInput, OrchestraError, UnknownName
from orchestra.learning.adapters import MANIFEST, Bound, Entry, read_manifest
from orchestra.learning.publishing import publish
from orchestra.learning.row import Encoder
from orchestra.learning.settings import CHOICES, Settings, processes
from orchestra.models.cache import file_sha256
from orchestra.models.progress import Report, reporting
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory

LOSSES = "losses.json"
"""Beside each adapter: the loss of each step, a JSON list."""
SHARED = "shared"
"""Name of the full weights that all policies share."""
WEIGHTS = ("adapter_model.safetensors", "model.safetensors")


class Parser(ArgumentParser):
    """Tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        if message.endswith("expected one argument"):  # argparse takes "--lr=1" for an option, wherever it stands
            raise BadInput(f"{message}; fix: what begins with - goes behind =, as in --sft='--lr=1' (see --help)")
        raise BadInput(f"{message} (see --help)")


def folder(given: str) -> Path:
    """A folder as a person names it; an empty name, as of a variable that is not set, would be the current folder."""
    if not given:
        raise ArgumentTypeError("expected a folder, got ''")
    return Path(given)


def fitting(parser: Parser, default: Settings, what: str) -> None:
    """Options of a fit to rows or pairs (`what`), as `settings` reads them, and what it trains."""
    add = parser.add_argument
    add("--full", action="store_true", help="train all weights, not an adapter (wants a tenth of the learning rate)")
    add("--share", action="store_true", help="one adapter for all policies, or with --full one model")
    add("--epochs", type=int, default=default.epochs, help=f"passes over the {what} (default {default.epochs})")
    add("--lr", type=float, default=default.lr, help=f"peak learning rate (default {default.lr:g})")
    add("--rank", type=int, help=f"of the LoRA update (default {default.rank}); with --init it is that of the adapters")
    add("--batch", type=int, default=default.batch, help=f"{what} of an optimiser step (default {default.batch})")
    add("--max-tokens-per-step", type=int, default=default.max_tokens_per_step, metavar="N",
        help=f"most tokens in one forward pass (default {default.max_tokens_per_step})")  # fmt: skip
    add("--trainer", choices=CHOICES["trainer"], default=default.trainer,
        help=f"packed: what {what} share is read once; trl: TRL's own (default {default.trainer})")  # fmt: skip
    add("--precision", choices=CHOICES["precision"], default=default.precision, help="of the frozen base")
    add("--save-every", type=int, default=default.save_every, metavar="STEPS",
        help=f"steps between checkpoints of the packed trainer; 0: none (default {default.save_every})")  # fmt: skip
    add("--report-to", choices=CHOICES["report_to"], default=default.report_to, help="where each step's figures go too")
    add("--seed", type=int, default=default.seed, help=f"of initial weights, order and choice (default {default.seed})")
    add(
        "--export-rows",
        type=folder,
        metavar="DIR",
        help=f"write the {what} there as Parquet with a card, train nothing",
    )
    add("--json", action="store_true", help="print one JSON object on stdout; progress goes to stderr")


def check_fitting(options: Namespace) -> None:
    """Raises BadInput for options of `fitting` that do not go together, or nowhere to write."""
    if options.output is None and options.export_rows is None:
        raise BadInput("expected --output DIR, got none (see --help)")
    if options.trainer == "trl" and options.report_to != "none":
        raise BadInput(f"--trainer trl and --report-to {options.report_to} exclude each other; fix: --trainer packed")
    if options.rank and (options.init or options.full):
        other = "--init" if options.init else "--full"
        raise BadInput(f"--rank and {other} exclude each other; fix: drop one of them")


def settings(options: Namespace, default: Settings) -> Settings:
    """The settings among options; what is not said is as in `default`."""
    given = {each.name: getattr(options, each.name) for each in fields(Settings)}
    return replace(default, **{name: value for name, value in given.items() if value is not None})


def run(
    train: Callable[[Namespace, Report], dict[str, Any]],
    parse: Callable[[Sequence[str] | None], Namespace],
    summary: Callable[[dict[str, Any]], str],
    arguments: Sequence[str] | None,
) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C. The first process alone speaks."""
    first = processes()[0] == 0
    try:
        options = parse(arguments)
        with reporting(None if first else lambda *_: None) as report:
            result = train(options, report)
    except OrchestraError as error:
        if first:
            print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if first:
            print("stopped; what is published stays, and the same command goes on from there", file=sys.stderr)
        return 130
    if first:
        print(json.dumps(result) if options.json else summary(result))
    return 0


def read(path: Path, credit: str) -> tuple[list[Trajectory], list[Table] | None]:
    """The trajectories of a run folder, and the table that `credit` left for each; no tables for "none"."""
    with open_run(path) as run:
        batch = list(run.trajectories())
        if not batch:
            raise BadData(f"expected trajectories, got none in {path}; fix: orchestra collect ... --out {path}")
        if credit == "none":
            return batch, None
        saved = run.annotations(credit)
    rows = [{key: Annotation(*row) for key, row in saved.get(trajectory.id, {}).items()} for trajectory in batch]
    return batch, [Table(credit, "", each) for each in rows]


def check(batch: Sequence[Trajectory], source: Path, roles: Iterable[str] | None, *, allow_test: bool) -> None:
    """Raises UnknownName for a role that never spoke, BadData for test items."""
    spoke = {decision.role for trajectory in batch for decision in trajectory.decisions}
    for role in roles or ():
        if role not in spoke:
            raise UnknownName("role", role, spoke)
    tests = sum(trajectory.task.split == "test" for trajectory in batch)
    if tests and not allow_test:
        raise BadData(
            f"expected no item of a test split, got {tests} of {len(batch)} in {source}; "
            "fix: collect on another split, or --allow-test"
        )


def encoder(base: Path, batch: Sequence[Trajectory]) -> Encoder | None:
    """For replies whose ids nobody kept; None where there are none."""
    said = (decision.completion for trajectory in batch for decision in trajectory.decisions)
    if not any(reply is not None and (reply.prompt_ids is None or reply.output_ids is None) for reply in said):
        return None
    from orchestra.models.local.render import Renderer  # noqa: PLC0415  (loads transformers)

    renderer = Renderer(base)
    return Encoder(renderer.prompt, renderer.plain, renderer.tokenizer.eos_token_id)


def parents(start: Bound | None, model: str, weights: str) -> list[str]:
    """How a manifest names the weights that training starts from. Raises BadData for those of another base."""
    if start is None:
        return []
    if start.base_digest != weights:
        raise BadData(f"expected adapters of {model!r}, got those of another base in {start.folder}; fix: --model")
    return [f"{start.folder.name}:{weights_digest(start)}"]


def weights_digest(bound: Bound) -> str:
    """SHA-256 of an adapter or of full weights. Raises BadData where there are neither."""
    found = next((bound.folder / name for name in WEIGHTS if (bound.folder / name).exists()), None)
    if found is None:
        raise BadData(f"expected {' or '.join(WEIGHTS)}, got neither in {bound.folder}; fix: publish it again")
    return file_sha256(found)


def standing(output: Path) -> dict[str, Entry]:
    """What an adapter folder holds already, by policy; nothing where there is none."""
    return read_manifest(output).policies if (output / MANIFEST).exists() else {}


def already(entry: Entry | None, facts: dict[str, Any]) -> bool:
    """Whether what stands was made from the same data, base, settings and parents."""
    return entry is not None and all(getattr(entry, name) == value for name, value in facts.items())


def carry(source: Path, output: Path, trained: Collection[str]) -> None:
    """Publishes in `output` what stands in `source` of other policies, so that a team is bound by one folder."""
    there = standing(output)
    for policy, entry in read_manifest(source).policies.items():
        folder = source / entry.folder
        facts: dict[str, Any] = {
            "base_digest": entry.base_digest,
            "data_digest": entry.data_digest,
            "config": entry.config,
            "parents": [f"{entry.folder}:{weights_digest(Bound(folder, entry.version, entry.base_digest))}"],
        }
        if policy not in trained and not already(there.get(policy), facts):
            publish(output, policy, partial(_copied, folder, entry), metrics=entry.metrics, **facts)


def _copied(source: Path, entry: Entry, folder: Path) -> None:
    for name in entry.files:
        copyfile(source / name, folder / name)


def ends(curve: Sequence[float]) -> tuple[float, float]:
    """Means over the first and the last tenth of the steps.

    >>> ends([3.0, 2.0, 1.0])
    (3.0, 1.0)
    """
    edge = ceil(len(curve) / 10)
    return fmean(curve[:edge]), fmean(curve[-edge:])


def outcome(output: Path, policies: Iterable[str]) -> dict[str, Any]:
    """The JSON of a recipe. First and last losses are means over a tenth of the steps, then over policies."""
    entries = read_manifest(output).policies
    figures = {
        policy: {
            **entries[policy].metrics,
            "version": entries[policy].version,
            "curve": json.loads((output / entries[policy].folder / LOSSES).read_text()),
        }
        for policy in policies
    }
    return {
        "output": str(output),
        "steps": sum(figure["steps"] for figure in figures.values()),
        "loss_first": fmean(figure["loss_first"] for figure in figures.values()),
        "loss_last": fmean(figure["loss_last"] for figure in figures.values()),
        "seconds": sum(figure["seconds"] for figure in figures.values()),
        "policies": figures,
    }
