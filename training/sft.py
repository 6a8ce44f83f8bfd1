"""Supervised fine-tuning of a team on its own good decisions: MALT's first stage (arXiv 2412.01928).

    accelerate launch training/sft.py --trajectories runs/malt --output adapters/malt-sft

Decisions whose value is over a threshold become rows; each policy gets an adapter of its own, trained on what it said,
one policy after another with an optimiser of its own (`--share`: one for all; `--full`: all weights). Each is published
as soon as it is trained: stopping loses the steps since the last checkpoint, and the same command goes on there. A
distinct row is read once an epoch, however often it was sampled; `--weigh` says how much it counts.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from math import isfinite
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

from orchestra.credit import Table
from orchestra.digest import canonical, digest
from orchestra.errors import BadData, BadInput
from orchestra.learning import Row, Settings, dropped, processes, recipe, refuse_overlap, sft_rows, valued
from orchestra.learning.adapters import Bound, base_digest, bind
from orchestra.learning.publishing import publish
from orchestra.learning.weighing import WAYS, Scale, weighed
from orchestra.models import names
from orchestra.models.progress import Report
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory

CHECKPOINTS = ".checkpoints"
"""In the output: where the policy in training stands, a folder each; gone once it is published."""
CURVES = ".runs"
"""In the output: what `--report-to` writes, a folder each policy."""
INDIFFERENT = ("save_every", "report_to")
"""Settings that leave the weights as they are."""


class Learner(NamedTuple):
    """What one optimiser trains."""

    policies: tuple[str, ...]
    """Names that the result is published under."""
    scale: Scale
    decisions: int
    """How many the rows stand for."""
    start: Bound | None
    """None: the base."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C. The first process alone speaks."""
    return recipe.run(train, parse, summary, arguments)


def train(options: Namespace, report: Report) -> dict[str, Any]:
    """The recipe, from a run folder to published weights."""
    chosen = recipe.settings(options, Settings())
    batch, tables = recipe.read(options.trajectories, options.credit)
    recipe.check(batch, options.trajectories, options.roles, allow_test=options.allow_test)
    base = names.folder(options.model, report)
    rows = found(batch, tables, base, options)
    if options.export_rows:
        return exported(rows, base, options)
    done, weights = recipe.standing(options.output), base_digest(base)
    learners = learning(rows, batch, tables, options)
    known = [identity(learner, chosen, options, weights) for learner in learners]  # all, so that none is refused late
    for learner, facts in zip(learners, known, strict=True):
        if all(recipe.already(done.get(policy), facts) for policy in learner.policies):
            for policy in learner.policies:
                print(f"{policy}: already trained, version {done[policy].version}", file=sys.stderr)
        else:
            train_one(learner, base, chosen, facts, options, report)
    published = [policy for learner in learners for policy in learner.policies]
    return recipe.outcome(options.output, published) if processes()[0] == 0 else {}


def found(batch: Sequence[Trajectory], tables: Sequence[Table] | None, base: Path, options: Namespace) -> list[Row]:
    """The rows of a run folder, of no held-out task."""
    rows = sft_rows(
        batch,
        tables,
        over=options.over,
        roles=options.roles,
        per_task=options.per_task,
        encoder=recipe.encoder(base, batch),
    )
    if not rows:
        raise BadData(nothing_left(batch, tables, options))
    for folder in options.held_out:
        with open_run(folder) as run:
            refuse_overlap(rows, (trajectory.task.prompt for trajectory in run.trajectories()))
    return rows


def learning(
    rows: Sequence[Row], batch: Sequence[Trajectory], tables: Sequence[Table] | None, options: Namespace
) -> list[Learner]:
    """A learner for each policy, in the order in which they first have a row; with --share one for all."""
    starts = bind(options.init) if options.init else {}
    own: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    everyone = (recipe.SHARED,) if options.full else tuple(sorted({row.policy for row in rows}))
    for row in rows:
        own[everyone if options.share else (row.policy,)].append(row)
    learners = []
    for policies, each in own.items():
        distinct = {recipe.weights_digest(starts[policy]): starts[policy] for policy in policies if policy in starts}
        if len(distinct) > 1:
            raise BadInput(
                f"expected one start for --share, got {len(distinct)} in {options.init}; fix: train it with --share"
            )
        decisions = round(sum(row.weight for row in each))
        scale = weighed(each, batch, tables, options.weigh)
        learners.append(Learner(policies, scale, decisions, next(iter(distinct.values()), None)))
    return learners


def train_one(
    learner: Learner, base: Path, chosen: Settings, facts: dict[str, Any], options: Namespace, report: Report
) -> None:
    """Fits and publishes; the first process publishes before any goes on."""
    # Here: they take seconds to import, and refusing a wrong option none.
    from orchestra.learning import launcher, sft, trainable  # noqa: PLC0415
    from orchestra.learning.loop import Keep  # noqa: PLC0415

    name = learner.policies[0] if len(learner.policies) == 1 else recipe.SHARED

    def tell(line: str) -> None:
        print(f"{name}: {line}", file=sys.stderr)

    def fill(folder: Path) -> None:
        trainable.save(done.model, folder, base=base, base_name=options.model, state=done.state)
        (folder / recipe.LOSSES).write_text(json.dumps(done.curve))

    checkpoints = options.output / CHECKPOINTS / name
    done = sft.fit(
        learner.scale.rows,
        base,
        chosen,
        weights=learner.scale.weights,
        init=learner.start.folder if learner.start else None,
        full=options.full,
        keep=Keep(checkpoints, {**facts, **facts["config"], "config": None}, tell, options.output / CURVES / name),
        report=partial(report, f"train {name}"),
    )
    if processes()[0] == 0:
        first, last = recipe.ends(done.curve)
        metrics = {
            "rows": len(learner.scale.rows),
            "decisions": learner.decisions,
            "tokens": done.tokens,
            "steps": len(done.curve),
            "loss_first": first,
            "loss_last": last,
            "seconds": done.seconds,
        }
        for policy in learner.policies:
            publish(options.output, policy, fill, metrics=metrics, **facts)
        rmtree(checkpoints, ignore_errors=True)
        if checkpoints.parent.is_dir() and not any(checkpoints.parent.iterdir()):
            checkpoints.parent.rmdir()
    launcher.barrier()


def identity(learner: Learner, chosen: Settings, options: Namespace, weights: str) -> dict[str, Any]:
    """What two trainings must share to give the same weights; in the manifest, so that none is done twice."""
    rows = zip(*learner.scale, strict=True)
    used = {name: value for name, value in asdict(chosen).items() if name not in INDIFFERENT}
    return {
        "base_digest": weights,
        "data_digest": digest(*(canonical([row.input_ids, row.labels, weight]) for row, weight in rows)),
        "config": {
            "recipe": "sft",
            "model": options.model,
            "processes": processes()[1],
            "weigh": options.weigh,
            "weights": "full" if options.full else "lora",
            "policies": " ".join(learner.policies),
            **used,
        },
        "parents": recipe.parents(learner.start, options.model, weights),
    }


def exported(rows: Sequence[Row], base: Path, options: Namespace) -> dict[str, Any]:
    """Writes the rows and trains nothing."""
    from orchestra.learning import export  # noqa: PLC0415  (loads pyarrow and the tokenizer)

    files = export.rows(options.export_rows, rows, base, options.model) if processes()[0] == 0 else []
    return {"output": str(options.export_rows), "rows": len(rows), "files": [str(file) for file in files]}


def summary(result: dict[str, Any]) -> str:
    if "files" in result:
        return f"{result['rows']} rows in {result['output']}"
    lines = [
        f"{name}@{figure['version']}: {figure['rows']} rows, {figure['steps']} steps, "
        f"loss {figure['loss_first']:.3f} -> {figure['loss_last']:.3f}, {figure['seconds']:.0f} s"
        for name, figure in result["policies"].items()
    ]
    return "\n".join([*lines, f"weights in {result['output']}"])


def nothing_left(batch: Sequence[Trajectory], tables: Sequence[Table] | None, options: Namespace) -> str:
    why = Counter(
        dropped(decision, value, over=options.over, roles=options.roles) for _, decision, value in valued(batch, tables)
    )
    parts = ", ".join(f"{count} {reason}" for reason, count in why.most_common())
    return (
        f"expected decisions to learn from, got none of {why.total()} in {options.trajectories}: "
        f"{parts or 'no decision at all'}; fix: more tasks, more branches, or a lower --over"
    )


def parse(arguments: Sequence[str] | None) -> Namespace:
    default = Settings()
    parser = recipe.Parser(
        "sft", allow_abbrev=False, description="Fine-tune each policy of a team on its own decisions of high value."
    )
    add = parser.add_argument
    add("--trajectories", type=Path, required=True, metavar="RUN_DIR", help="what `orchestra collect` wrote")
    add("--output", type=recipe.folder, metavar="DIR", help="where the weights go, one folder a policy")
    add("--model", default="smollm2", help="the base: smollm2, tiny, hf:FOLDER or hf:ORG/NAME@REVISION")
    add("--credit", default="nested_mean", metavar="RULE", help="whose values to read; none: take every decision")
    add("--over", type=float, default=0.5, help="decisions of a higher value are learnt from (default 0.5)")
    add("--roles", nargs="+", metavar="ROLE", help="train on these roles alone")
    add("--per-task", type=int, metavar="N", help="at most N rows of a task and policy, those of highest value")
    add("--weigh", choices=WAYS, default="one", help="how much a row counts: alike, by value, or by advantage")
    add("--held-out", type=Path, nargs="+", default=[], metavar="RUN_DIR", help="refuse rows of these runs' tasks")
    add("--allow-test", action="store_true", help="train on items of a test split all the same")
    add("--init", type=Path, metavar="DIR", help="go on from these weights; a policy not in them starts anew")
    recipe.fitting(parser, default, "rows")
    options = parser.parse_args(arguments)
    if not isfinite(options.over):
        raise BadInput(f"expected a finite --over, got {options.over!r}")
    if options.per_task is not None and options.per_task < 1:
        raise BadInput(f"expected --per-task >= 1, got {options.per_task}")
    if options.trainer == "trl" and options.weigh != "one":
        raise BadInput(f"--trainer trl and --weigh {options.weigh} exclude each other: TRL's counts all rows alike")
    recipe.check_fitting(options)
    return options


if __name__ == "__main__":
    sys.exit(main())
