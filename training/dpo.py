"""Preference training of a team's policies on siblings of one state: MALT's second stage (arXiv 2412.01928).

    accelerate launch training/dpo.py --trajectories runs/malt --init adapters/malt-sft --output adapters/malt

Two draws of one decision of which one came to more make a pair; each policy learns from its own pairs, beside the
adapter of --init that it starts from. MALT trains verifier and refiner this way and leaves the generator at what SFT
made of it: a model that has been tuned to chat unlearns more than it learns. --select random is the control that tells
whether the choice of pairs, and not their number, does the work; --alpha 1 is Optima's RPO (arXiv 2410.08115).
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
from typing import Any, NamedTuple, get_args

from orchestra.credit import confident
from orchestra.digest import canonical, digest
from orchestra.errors import BadData, BadInput
from orchestra.learning import recipe
from orchestra.learning.adapters import Bound, base_digest, bind
from orchestra.learning.pairs import Choosing, Pair, Select, preference_pairs
from orchestra.learning.preference import FITTING, NORMS, Preference
from orchestra.learning.publishing import publish
from orchestra.learning.rows import refuse_overlap
from orchestra.learning.settings import Settings, processes
from orchestra.models import names
from orchestra.models.progress import Report
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory

ROLES = ("verifier", "refiner")
"""What MALT trains on pairs."""
FIGURES = "figures.json"
"""Beside each adapter: what was measured of each step, a JSON list."""
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
    pairs: Sequence[Pair]
    start: Bound | None
    """Also the reference; None: the base."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C. The first process alone speaks."""
    return recipe.run(train, parse, summary, arguments)


def train(options: Namespace, report: Report) -> dict[str, Any]:
    """The recipe, from a run folder to published weights."""
    chosen = recipe.settings(options, FITTING), Preference(options.beta, options.alpha, options.norm)
    base = names.folder(options.model, report)
    pairs = found(options, base)
    if options.export_rows:
        return exported(pairs, base, options)
    done, weights = recipe.standing(options.output), base_digest(base)
    learners = shared(pairs, options) if options.share else separate(pairs, options)
    known = [identity(learner, *chosen, options, weights) for learner in learners]  # all, so that none is refused late
    for learner, facts in zip(learners, known, strict=True):
        if all(recipe.already(done.get(policy), facts) for policy in learner.policies):
            print(f"{', '.join(learner.policies)}: already trained", file=sys.stderr)
        else:
            train_one(learner, base, *chosen, facts, options, report)
    published = [policy for learner in learners for policy in learner.policies]
    if options.init and not options.full and processes()[0] == 0:
        recipe.carry(options.init, options.output, published)
    return recipe.outcome(options.output, published) if processes()[0] == 0 else {}


def found(options: Namespace, base: Path) -> list[Pair]:
    """The pairs of a run folder, of no held-out task."""
    batch, tables = recipe.read(options.trajectories, options.credit)
    assert tables is not None  # credit "none" is refused
    spoke = {decision.role for trajectory in batch for decision in trajectory.decisions}
    roles = options.roles or [role for role in ROLES if role in spoke]
    if not roles:
        raise BadInput(f"expected {' or '.join(ROLES)}, got {', '.join(sorted(spoke))}; fix: name them by --roles")
    recipe.check(batch, options.trajectories, roles, allow_test=options.allow_test)
    how = Choosing(
        options.over, options.gap, options.distance, options.select, options.per_state, options.per_task, options.keep,
        options.seed,
    )  # fmt: skip
    judge = partial(confident, over=options.over) if options.confident else None
    pairs = preference_pairs(batch, tables, how, roles=roles, judge=judge, encoder=recipe.encoder(base, batch))
    if not pairs:
        raise BadData(nothing_left(batch, roles, options))
    for folder in options.held_out:
        with open_run(folder) as run:  # a pair names its run and task as a row does
            refuse_overlap(pairs, (trajectory.task.prompt for trajectory in run.trajectories()))
    return pairs


def separate(pairs: Sequence[Pair], options: Namespace) -> list[Learner]:
    """A learner for each policy, in the order in which they first have a pair."""
    own: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        own[pair.policy].append(pair)
    starts = bind(options.init) if options.init else {}
    return [Learner((policy,), each, starts.get(policy)) for policy, each in own.items()]


def shared(pairs: Sequence[Pair], options: Namespace) -> list[Learner]:
    """One learner for all: an adapter is published under every policy's name, full weights once."""
    starts = bind(options.init) if options.init else {}
    policies = tuple(sorted({pair.policy for pair in pairs} | (starts.keys() - {recipe.SHARED})))
    distinct = {recipe.weights_digest(start): start for start in starts.values()}
    if len(distinct) > 1:
        raise BadInput(
            f"expected one start for --share, got {len(distinct)} in {options.init}; fix: train it with --share"
        )
    return [Learner((recipe.SHARED,) if options.full else policies, pairs, next(iter(distinct.values()), None))]


def train_one(
    learner: Learner,
    base: Path,
    chosen: Settings,
    preference: Preference,
    facts: dict[str, Any],
    options: Namespace,
    report: Report,
) -> None:
    """Fits and publishes; the first process publishes before any goes on."""
    # Here: they take seconds to import, and refusing a wrong option none.
    from orchestra.learning import dpo, launcher, trainable  # noqa: PLC0415
    from orchestra.learning.loop import Keep  # noqa: PLC0415

    name = learner.policies[0] if len(learner.policies) == 1 else recipe.SHARED

    def tell(line: str) -> None:
        print(f"{name}: {line}", file=sys.stderr)

    checkpoints = options.output / CHECKPOINTS / name
    done = dpo.fit(
        learner.pairs,
        base,
        chosen,
        preference,
        init=learner.start.folder if learner.start else None,
        full=options.full,
        keep=Keep(checkpoints, {**facts, **facts["config"], "config": None}, tell, options.output / CURVES / name),
        report=partial(report, f"train {name}"),
    )

    def fill(folder: Path) -> None:
        trainable.save(done.model, folder, base=base, base_name=options.model, state=done.state)
        (folder / recipe.LOSSES).write_text(json.dumps([figures.loss for figures in done.curve]))
        (folder / FIGURES).write_text(json.dumps([figures._asdict() for figures in done.curve]))

    if processes()[0] == 0:
        both = {name: recipe.ends([getattr(at, name) for at in done.curve]) for name in dpo.Figures._fields}
        metrics = {
            "pairs": len(learner.pairs),
            "tokens": done.tokens,
            "steps": len(done.curve),
            **{f"loss_{when}": value for when, value in zip(("first", "last"), both["loss"], strict=True)},
            **{name: last for name, (_, last) in both.items() if name != "loss"},
            "seconds": done.seconds,
        }
        for policy in learner.policies:
            publish(options.output, policy, fill, metrics=metrics, **facts)
        rmtree(checkpoints, ignore_errors=True)
        if checkpoints.parent.is_dir() and not any(checkpoints.parent.iterdir()):
            checkpoints.parent.rmdir()
    launcher.barrier()


def identity(
    learner: Learner, chosen: Settings, preference: Preference, options: Namespace, weights: str
) -> dict[str, Any]:
    """What two trainings must share to give the same weights; in the manifest, so that none is done twice."""
    return {
        "base_digest": weights,
        "data_digest": digest(
            *(
                canonical([pair.prompt_ids, pair.chosen_ids, pair.rejected_ids, pair.chosen_mask, pair.rejected_mask])
                for pair in learner.pairs
            )
        ),
        "config": {
            "recipe": "dpo", "model": options.model, "processes": processes()[1],
            "weights": "full" if options.full else "lora", "policies": " ".join(learner.policies),
            **{name: value for name, value in asdict(chosen).items() if name not in INDIFFERENT}, **asdict(preference),
        },
        "parents": recipe.parents(learner.start, options.model, weights),
    }  # fmt: skip


def exported(pairs: Sequence[Pair], base: Path, options: Namespace) -> dict[str, Any]:
    """Writes the pairs and trains nothing."""
    from orchestra.learning import export  # noqa: PLC0415  (loads pyarrow and the tokenizer)

    files = export.pairs(options.export_rows, pairs, base, options.model) if processes()[0] == 0 else []
    return {"output": str(options.export_rows), "pairs": len(pairs), "files": [str(file) for file in files]}


def summary(result: dict[str, Any]) -> str:
    if "files" in result:
        return f"{result['pairs']} pairs in {result['output']}"
    lines = [
        f"{name}@{figure['version']}: {figure['pairs']} pairs, {figure['steps']} steps, "
        f"loss {figure['loss_first']:.3f} -> {figure['loss_last']:.3f}, accuracy {figure['accuracy']:.2f}, "
        f"margin {figure['margin']:.3f}, shift {figure['chosen_shift']:+.2f} and {figure['rejected_shift']:+.2f} nats, "
        f"{figure['seconds']:.0f} s"
        for name, figure in result["policies"].items()
    ]
    return "\n".join([*lines, f"weights in {result['output']}"])


def nothing_left(batch: Sequence[Trajectory], roles: Sequence[str], options: Namespace) -> str:
    draws = Counter(
        (trajectory.id, decision.key.state)
        for trajectory in batch
        for decision in trajectory.decisions
        if decision.role in roles
    )
    several = sum(count > 1 for count in draws.values())
    return (
        f"expected pairs to learn from, got none in {options.trajectories}: of {len(draws)} states of "
        f"{', '.join(roles)} {several} have siblings, and none has one of value > {options.over:g} that is "
        f"{options.gap:g} above another with other words; fix: collect with --branch, more tasks, or a lower --gap"
    )


def parse(arguments: Sequence[str] | None) -> Namespace:
    default, loss, choosing = FITTING, Preference(), Choosing()
    parser = recipe.Parser(
        "dpo", allow_abbrev=False, description="Train each policy of a team on pairs of its own decisions of one state."
    )
    add = parser.add_argument
    add("--trajectories", type=Path, required=True, metavar="RUN_DIR", help="what `orchestra collect --branch` wrote")
    add("--output", type=recipe.folder, metavar="DIR", help="where the weights go, one folder a policy")
    add("--init", type=Path, metavar="DIR", help="adapters to start from and to stay near; default: the base")
    add("--model", default="smollm2", help="the base: smollm2, tiny, hf:FOLDER or hf:ORG/NAME@REVISION")
    add("--roles", nargs="+", metavar="ROLE", help=f"train on these roles (default: {' and '.join(ROLES)})")
    add("--credit", default="nested_mean", metavar="RULE", help="whose values to read (default nested_mean)")
    add("--confident", action="store_true", help="only pairs whose labels hold within a standard error")
    add("--over", type=float, default=choosing.over, help=f"the chosen one's value is higher (default {choosing.over})")
    add("--gap", type=float, default=choosing.gap, help=f"least difference of values (default {choosing.gap})")
    add("--distance", type=float, default=choosing.distance, help=f"least edit distance (default {choosing.distance})")
    add("--select", choices=get_args(Select), default=choosing.select, help="pairs of a state; random is the control")
    add("--per-state", type=int, default=choosing.per_state, metavar="N", help="at most N pairs of a state (default 1)")
    add("--per-task", type=int, metavar="N", help="at most N pairs of a task and policy")
    add("--keep", type=float, default=choosing.keep, help="share of each policy's pairs that stays (default 1)")
    add("--held-out", type=Path, nargs="+", default=[], metavar="RUN_DIR", help="refuse pairs of these runs' tasks")
    add("--allow-test", action="store_true", help="train on items of a test split all the same")
    add("--beta", type=float, default=loss.beta, help=f"how dear a shift from the start is (default {loss.beta})")
    add("--alpha", type=float, default=loss.alpha, help="weight of the chosen reply's likelihood (default 0; RPO: 1)")
    add("--norm", choices=NORMS, default=loss.norm, help=f"what that is divided by (default {loss.norm})")
    recipe.fitting(parser, default, "pairs")
    options = parser.parse_args(arguments)
    if not isfinite(options.over) or not isfinite(options.gap):
        raise BadInput(f"expected finite --over and --gap, got {options.over!r} and {options.gap!r}")
    if options.init and options.output and options.init.resolve() == options.output.resolve():
        raise BadInput(f"expected another --output than --init, got {options.init} for both; fix: a new folder")
    if options.credit == "none":
        raise BadInput("expected a credit rule, got --credit none: a pair is a difference of values; fix: another RULE")
    recipe.check_fitting(options)
    return options


if __name__ == "__main__":
    sys.exit(main())
