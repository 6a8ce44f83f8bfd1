"""Supervised fine-tuning of a team on its own good decisions: MALT's first stage (arXiv 2412.01928).

    accelerate launch training/sft.py --trajectories runs/malt --output adapters/malt-sft

Decisions whose value is over a threshold become rows; each policy gets an adapter of its own, trained on what it said,
one policy after another with an optimiser of its own. Each is published as soon as it is trained: stopping loses the
policy in hand, and the same command goes on there. A distinct row is read once an epoch, however often it was sampled.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from math import ceil, isfinite
from pathlib import Path
from statistics import fmean
from typing import Any, NoReturn

from orchestra.credit import Annotation, Table
from orchestra.digest import canonical, digest
from orchestra.errors import BadData, BadInput, OrchestraError, UnknownName
from orchestra.learning import Encoder, Row, Settings, dropped, processes, refuse_overlap, sft_rows, valued
from orchestra.learning.adapters import MANIFEST, Bound, base_digest, bind, read_manifest
from orchestra.learning.publishing import publish
from orchestra.models import names
from orchestra.models.cache import file_sha256
from orchestra.models.progress import Report, reporting
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory

LOSSES = "losses.json"
"""Beside each adapter: the loss of each step, a JSON list."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C. The first process alone speaks."""
    first = processes()[0] == 0
    try:
        options = parse(arguments)
        with reporting(None if first else lambda *_: None) as report:
            result = train(options, settings(options), report)
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


def train(options: Namespace, chosen: Settings, report: Report) -> dict[str, Any]:
    """The recipe, from a run folder to published adapters."""
    batch, tables = read(options.trajectories, options.credit)
    check(batch, options)
    base = names.folder(options.model, report)
    rows = sft_rows(
        batch,
        tables,
        over=options.over,
        roles=options.roles,
        per_task=options.per_task,
        encoder=encoder(base, batch),
    )
    if not rows:
        raise BadData(nothing_left(batch, tables, options))
    for folder in options.held_out:
        with open_run(folder) as run:
            refuse_overlap(rows, (trajectory.task.prompt for trajectory in run.trajectories()))

    policies: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        policies[row.policy].append(row)
    starts = bind(options.init) if options.init else {}
    done = read_manifest(options.output).policies if (options.output / MANIFEST).exists() else {}
    weights = base_digest(base)
    for policy, own in policies.items():
        facts = identity(own, chosen, options.model, weights, starts.get(policy))
        if policy in done and all(getattr(done[policy], name) == value for name, value in facts.items()):
            print(f"{policy}: already trained, version {done[policy].version}", file=sys.stderr)
        else:
            train_policy(policy, own, base, chosen, starts.get(policy), facts, options, report)
    return outcome(options.output, policies) if processes()[0] == 0 else {}


def train_policy(
    policy: str,
    rows: Sequence[Row],
    base: Path,
    chosen: Settings,
    start: Bound | None,
    facts: dict[str, Any],
    options: Namespace,
    report: Report,
) -> None:
    """Fits one policy; the first process publishes it before any goes on."""
    from orchestra.learning import sft  # noqa: PLC0415  (here: it takes seconds, and refusing a wrong option none)

    done = sft.fit(rows, base, chosen, init=start.folder if start else None, report=partial(report, f"train {policy}"))

    def fill(folder: Path) -> None:
        sft.save(done.model, folder, base_name=options.model)
        (folder / LOSSES).write_text(json.dumps(done.curve))

    if processes()[0] == 0:
        edge = ceil(len(done.curve) / 10)
        metrics = {
            "rows": len(rows),
            "decisions": round(sum(row.weight for row in rows)),
            "tokens": done.tokens,
            "steps": len(done.curve),
            "loss_first": fmean(done.curve[:edge]),
            "loss_last": fmean(done.curve[-edge:]),
            "seconds": done.seconds,
        }
        publish(options.output, policy, fill, metrics=metrics, **facts)
    sft.barrier()


def identity(rows: Sequence[Row], chosen: Settings, model: str, weights: str, start: Bound | None) -> dict[str, Any]:
    """What two trainings must share to give the same adapter; in the manifest, so that none is done twice."""
    parents = []
    if start is not None:
        if start.base_digest != weights:
            raise BadData(f"expected adapters of {model!r}, got those of another base in {start.folder}; fix: --model")
        parents = [f"{start.folder.name}:{file_sha256(start.folder / 'adapter_model.safetensors')}"]
    return {
        "base_digest": weights,
        "data_digest": digest(*(canonical([row.input_ids, row.labels]) for row in rows)),
        "config": {"recipe": "sft", "model": model, "processes": processes()[1], **asdict(chosen)},
        "parents": parents,
    }


def outcome(output: Path, policies: Iterable[str]) -> dict[str, Any]:
    """The JSON of the command. First and last losses are means over a tenth of the steps, then over policies."""
    standing = read_manifest(output).policies
    figures = {
        policy: {
            **standing[policy].metrics,
            "version": standing[policy].version,
            "curve": json.loads((output / standing[policy].folder / LOSSES).read_text()),
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


def summary(result: dict[str, Any]) -> str:
    lines = [
        f"{name}@{figure['version']}: {figure['rows']} rows, {figure['steps']} steps, "
        f"loss {figure['loss_first']:.3f} -> {figure['loss_last']:.3f}, {figure['seconds']:.0f} s"
        for name, figure in result["policies"].items()
    ]
    return "\n".join([*lines, f"adapters in {result['output']}"])


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


def check(batch: Sequence[Trajectory], options: Namespace) -> None:
    """Raises UnknownName for a role that never spoke, BadData for test items."""
    spoke = {decision.role for trajectory in batch for decision in trajectory.decisions}
    for role in options.roles or ():
        if role not in spoke:
            raise UnknownName("role", role, spoke)
    tests = sum(trajectory.task.split == "test" for trajectory in batch)
    if tests and not options.allow_test:
        raise BadData(
            f"expected no item of a test split, got {tests} of {len(batch)} in {options.trajectories}; "
            "fix: collect on another split, or --allow-test"
        )


def nothing_left(batch: Sequence[Trajectory], tables: Sequence[Table] | None, options: Namespace) -> str:
    why = Counter(
        dropped(decision, value, over=options.over, roles=options.roles) for _, decision, value in valued(batch, tables)
    )
    parts = ", ".join(f"{count} {reason}" for reason, count in why.most_common())
    return (
        f"expected decisions to learn from, got none of {why.total()} in {options.trajectories}: "
        f"{parts or 'no decision at all'}; fix: more tasks, more branches, or a lower --over"
    )


def encoder(base: Path, batch: Sequence[Trajectory]) -> Encoder | None:
    """For replies whose ids nobody kept; None where there are none."""
    said = (decision.completion for trajectory in batch for decision in trajectory.decisions)
    if not any(reply is not None and (reply.prompt_ids is None or reply.output_ids is None) for reply in said):
        return None
    from orchestra.models.local.render import Renderer  # noqa: PLC0415  (loads transformers)

    renderer = Renderer(base)
    return Encoder(renderer.prompt, renderer.plain, renderer.tokenizer.eos_token_id)


class Parser(ArgumentParser):
    """Tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message} (see --help)")


def parse(arguments: Sequence[str] | None) -> Namespace:
    default = Settings()
    parser = Parser(
        "sft", allow_abbrev=False, description="Fine-tune each policy of a team on its own decisions of high value."
    )
    add = parser.add_argument
    add("--trajectories", type=Path, required=True, metavar="RUN_DIR", help="what `orchestra collect` wrote")
    add("--output", type=Path, required=True, metavar="DIR", help="where the adapters go, one folder a policy")
    add("--model", default="smollm2", help="the base: smollm2, tiny, hf:FOLDER or hf:ORG/NAME@REVISION")
    add("--credit", default="nested_mean", metavar="RULE", help="whose values to read; none: take every decision")
    add("--over", type=float, default=0.5, help="decisions of a higher value are learnt from (default 0.5)")
    add("--roles", nargs="+", metavar="ROLE", help="train on these roles alone")
    add("--per-task", type=int, metavar="N", help="at most N rows of a task and policy, those of highest value")
    add("--held-out", type=Path, nargs="+", default=[], metavar="RUN_DIR", help="refuse rows of these runs' tasks")
    add("--allow-test", action="store_true", help="train on items of a test split all the same")
    add("--init", type=Path, metavar="DIR", help="go on from these adapters; a policy not in them starts anew")
    add("--epochs", type=int, default=default.epochs, help=f"passes over the rows (default {default.epochs})")
    add("--lr", type=float, default=default.lr, help=f"peak learning rate (default {default.lr:g})")
    add("--rank", type=int, help=f"of the LoRA update (default {default.rank}); with --init it is that of the adapters")
    add("--batch", type=int, default=default.batch, help=f"rows of an optimiser step (default {default.batch})")
    add("--max-tokens-per-step", type=int, default=default.max_tokens_per_step, metavar="N",
        help=f"most tokens in one forward pass (default {default.max_tokens_per_step})")  # fmt: skip
    add("--seed", type=int, default=default.seed, help=f"of initial weights and order (default {default.seed})")
    add("--json", action="store_true", help="print one JSON object on stdout; progress goes to stderr")
    options = parser.parse_args(arguments)
    if not isfinite(options.over):
        raise BadInput(f"expected a finite --over, got {options.over!r}")
    if options.per_task is not None and options.per_task < 1:
        raise BadInput(f"expected --per-task >= 1, got {options.per_task}")
    if options.init and options.rank:
        raise BadInput("--rank and --init exclude each other: adapters keep their rank; fix: drop one of them")
    return options


def settings(options: Namespace) -> Settings:
    rank = options.rank if options.rank is not None else Settings().rank
    return Settings(options.epochs, options.lr, rank, options.batch, options.max_tokens_per_step, options.seed)


if __name__ == "__main__":
    sys.exit(main())
