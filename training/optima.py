"""Optima (arXiv 2410.08115): agents who talk learn to say less without being worse. isft, idpo, or both in turn.

    orchestra train optima --method isft --model smollm2 --benchmark hotpot:bridge --level 0 --items 100 --iterations 3

    R = task - lambda_tokens tokens / most tokens of the task + lambda_readable / (highest loss of a turn on the base)

    isft   --samples talks a task; of each task the one of highest R over --over; the top --share of these; SFT
    idpo   a search tree a task of --rollouts leaves; siblings of which one's mean R is over --pair-over and --gap above
           another's, the top half by the better one's R; DPO with the chosen reply's likelihood (RPO)
    hybrid isft and idpo in turn, with plain DPO

Every iteration talks with the adapters of the one before, as in the paper. What stands is decided apart: by the
promotion gate, on development tasks, which asks for an accuracy at most --margin lower and for fewer tokens said.
A team that is hardly ever right has nothing to select: --init begins with trained adapters, such as those of `cloning`.

Differs from the paper: no pool of format prompts written by a larger model; the best and not a middle slice is kept;
search counts a leaf once and values are those of all leaves (orchestra/evaluation/tree_search.py).
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from orchestra.credit import Scored, leaf_mean
from orchestra.credit.components import TOTAL
from orchestra.errors import BadInput
from orchestra.evaluation.collect import searched
from orchestra.evaluation.evaluate import evaluate, sample_seed
from orchestra.evaluation.gate import MARGIN, Decision, no_worse, said
from orchestra.evaluation.outcome import against
from orchestra.evaluation.result import Result
from orchestra.evaluation.rewards import earned, weighed
from orchestra.evaluation.statistics import non_inferior
from orchestra.evaluation.tree_search import Search
from orchestra.learning import Choosing, preference_pairs, recipe
from orchestra.models.progress import Report
from orchestra.training import _loop, _options, _report
from orchestra.training._loop import wait
from orchestra.training._select import SELECTED, best_leaves, selected
from orchestra.training._stages import Stages, start
from orchestra.training._team import Kind

UNTRAINED, START = "untrained", "start"
METHODS: Final = ("isft", "idpo", "hybrid")
LEAF_MEAN: Final = "leaf_mean"
SFT: Final = "--epochs 2 --lr 6e-4"
RPO: Final = "--alpha 1 --norm full"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C."""
    return recipe.run(optima, parse, summary, arguments)


def optima(options: Namespace, report: Report) -> dict[str, Any]:
    """The whole loop; what result.json holds."""
    loop = _loop.begin("optima", options, report)
    talk = Optima(loop, options, _loop.drawn(loop, options, shown=options.shots, rounds=1))
    began = START if talk.start else UNTRAINED
    first = standing = talk.on_dev(began, talk.start)
    beginning = talk.measured(began, talk.start)
    drawn = options.samples if options.method == "isft" else max(options.samples, options.rollouts)
    loop.forecast(options.iterations * (options.items * drawn + options.dev) + 2 * options.n)
    curve, gates, last, stands = [talk.figures(began, first, first)], list[Decision](), "", ""
    for number in range(1, options.iterations + 1):
        name = talk.iterate(number, last or talk.start)
        if not name:
            loop.say("nothing to learn from any more; fix: more --items or --samples, or a lower --over")
            break
        last = name
        found = talk.on_dev(last, last)
        gates.append(talk.gated(found, standing, last))
        standing, stands = (found, last) if gates[-1].promoted else (standing, stands)
        curve.append(talk.figures(last, found, first))
    trained = {name: talk.measured(name, name) for name in dict.fromkeys((last, stands)) if name}
    result = {
        "systems": {began: beginning.summary(), **{name: each.summary() for name, each in trained.items()}},
        "iterations": curve,
        "held_out": {name: talk.figures(name, each, beginning) for name, each in trained.items()},
        "paired": {name: against(each, {began: beginning}) for name, each in trained.items()},
        "gates": [gate.figures() for gate in gates],
        "stands": stands or began,
    }
    return loop.finish(result)


class Optima(Stages):
    """The stages of the loop, of one set of tasks."""

    def gated(self, candidate: Result, standing: Result, adapters: str) -> Decision:
        options = self.options
        return self.loop.gate(
            f"gate {adapters}", lambda: no_worse(candidate, standing, options.rule, options.margin), adapters
        )

    def figures(self, name: str, found: Result, beginning: Result) -> dict[str, Any]:
        """Accuracy and tokens, and how they stand to those of the team it began with, on the same tasks."""
        rule, words = self.options.rule, said(found)
        before = said(beginning)
        compared = against(found, {"beginning": beginning})["beginning"]["paired"][rule]
        return {
            "name": name,
            "accuracy": found.accuracy(rule)._asdict(),
            "tokens_said": sum(words.values()) / len(words),
            "tokens": found.tokens.mean,
            "of_its_words": sum(words.values()) / max(1.0, sum(before.values())),
            "of_its_tokens": found.tokens.mean / max(1.0, beginning.tokens.mean),
            "delta": compared["delta"],
            "ci_low": compared["ci_low"],
            "non_inferior": non_inferior(compared["ci_low"], self.options.margin),
        }

    def iterate(self, number: int, last: str) -> str:
        """Generates with the adapters `last`, a name or a folder, ranks, selects and trains; the name of the new ones,
        or none."""
        method = self.options.method
        if method == "hybrid":
            method = "isft" if number % 2 else "idpo"
        run, name = f"generated-{number}", f"{method}-{number}"
        found = self.loop.stage(f"generate {number}", lambda: self._generated(run, number, last, method))
        if not found["learnable"]:
            return ""
        start = ["--trajectories", str(self.loop.folder / run), "--output", str(self.loop.adapters(name))]
        init = ["--init", str(self.loop.adapters(last))] if last else []
        if method == "isft":
            given = [*_options.words(SFT), *_options.words(self.options.sft), "--credit", SELECTED]
            self.loop.fitted(
                f"train {name}", "sft", *start, *(init if self.options.restart == "previous" else []), *given
            )
        else:
            rpo = _options.words(RPO) if self.options.method == "idpo" else []
            given = [*rpo, *_options.words(self.options.dpo), "--credit", LEAF_MEAN]
            pairs = self._choosing()
            given += ["--over", str(pairs.over), "--gap", str(pairs.gap), "--keep", str(pairs.keep), "--roles"]
            self.loop.fitted(f"train {name}", "dpo", *start, *init, *given, *self.cast.policies)
        return name

    def _generated(self, run: str, number: int, last: str, method: str) -> dict[str, Any]:
        """Trajectories of an iteration, their rewards, and what is selected of them."""
        options, team, benchmark = self.options, self.team(last, warm=True), self.loop.benchmark
        how: dict[str, Any] = {"seed": sample_seed(options.seed, number), "progress": self.loop.progress(run)}
        with self.loop.run(run) as folder:
            if method == "isft":
                wait(evaluate(team, self.tasks.training, benchmark, folder, name=run, samples=options.samples, **how))
                grown = list(folder.trajectories())
            else:
                search = Search(options.rollouts, options.draws)
                grown = wait(searched(team, self.tasks.training, benchmark, search, folder, **how))
            batch = wait(weighed(earned(grown, benchmark, options.rule), self._weights(), self.loop.model))
            if method == "isft":
                tables = selected(batch, TOTAL, options.over, options.share)
                learnable = len(best_leaves(batch, TOTAL, options.over, options.share))
                folder.annotate(SELECTED, {s.trajectory.id: t for s, t in zip(batch, tables, strict=True)})
            else:
                tables = list(leaf_mean(TOTAL)(batch))
                learnable = len(preference_pairs(grown, tables, self._choosing()))
                folder.annotate(LEAF_MEAN, {s.trajectory.id: t for s, t in zip(batch, tables, strict=True)})
        return {"method": method, "trajectories": len(grown), "learnable": learnable, **_means(batch)}

    def _weights(self) -> dict[str, float]:
        """Components that are weighed; one of weight 0 is not even measured."""
        options = self.options
        given = {"task": 1.0, "tokens": options.lambda_tokens, "readability": options.lambda_readable}
        return {name: weight for name, weight in given.items() if weight}

    def _choosing(self) -> Choosing:
        options = self.options
        return replace(Choosing(), over=options.pair_over, gap=options.gap, keep=options.keep)


def _means(batch: Sequence[Scored]) -> dict[str, Any]:
    """Of each reward component, and of words, over all leaves."""
    rewards = [rewards for scored in batch for rewards in scored.rewards]
    words = [leaf.usage.tokens_out for scored in batch for leaf in scored.trajectory.leaves]
    names = dict.fromkeys(name for each in rewards for name in each)
    known = {name: [value for each in rewards if (value := each.get(name)) is not None] for name in names}
    means = {name: sum(values) / len(values) for name, values in known.items() if values}
    return {"leaves": len(words), "rewards": means, "tokens_said": sum(words) / max(1, len(words))}


def summary(result: Mapping[str, Any]) -> str:
    """Every iteration, every system, the verdicts, and what stands."""
    began = result["iterations"][0]["name"]
    lines = [
        f"{row['name']:12}{100 * row['accuracy']['mean']:5.1f} % on development, {row['tokens_said']:.1f} tokens said "
        f"a task ({100 * row['of_its_words']:.0f} % of those of {began})"
        for row in result["iterations"]
    ]
    lines += _report.table(result["systems"]) + _report.verdicts(result["paired"])
    lines += [
        f"{name}: {100 * row['of_its_words']:.0f} % of the words of {began}, {100 * row['of_its_tokens']:.0f} % "
        f"of its tokens, in and out; no worse within the margin: {'shown' if row['non_inferior'] else 'not shown'}"
        for name, row in result["held_out"].items()
    ]
    return "\n".join([*lines, f"stands: {result['stands']}; all figures in {result['output']}/result.json"])


def parse(arguments: Sequence[str] | None) -> Namespace:
    choosing = Choosing()
    parser = recipe.Parser("optima", allow_abbrev=False, description="Generate, rank, select, train: Optima.")
    _options.common(parser, "runs/optima", "hotpot:bridge", shots=2, longest=48)
    add = parser.add_argument
    add("--method", choices=METHODS, default="isft", help="what an iteration trains by (default isft)")
    add("--team", choices=get_args(Kind), default="talk", help="talk: seats with private lines (default talk)")
    add("--init", type=Path, metavar="DIR", help="adapters to begin with, such as those of cloning (default: the base)")
    add("--turns", type=int, default=3, help="of each who talks, or questions to ask, at most (default 3)")
    add("--iterations", type=int, default=3, help="of generating and training (default 3)")
    add("--samples", type=int, default=6, help="isft: talks a task (default 6)")
    add("--over", type=float, default=0.5, help="isft: a chosen talk earns more (default 0.5)")
    add("--share", type=float, default=0.7, help="isft: of the chosen that stays (default 0.7)")
    add("--restart", choices=("base", "previous"), default="previous", help="isft: where training starts")
    add("--rollouts", type=int, default=12, help="idpo: leaves of a task's tree (default 12; the paper: 24)")
    add("--draws", type=int, default=3, help="idpo: new draws of a step (default 3)")
    add("--pair-over", type=float, default=0.4, help="idpo: the chosen reply is worth more (default 0.4)")
    add("--gap", type=float, default=choosing.gap, help=f"idpo: least difference of values (default {choosing.gap})")
    add("--keep", type=float, default=0.5, help="idpo: share of pairs that stays (default 0.5)")
    add("--lambda-tokens", type=float, default=0.6, help="weight of tokens (default 0.6)")
    add("--lambda-readable", type=float, default=1.0, help="weight of readability (default 1)")
    add("--rule", choices=("strict", "flexible"), default="flexible", help="what counts as right (default flexible)")
    add("--margin", type=float, default=MARGIN, help=f"how much accuracy the gate may lose (default {MARGIN})")
    add("--sft", default="", metavar="WORDS", help=f"options of training/sft.py, after {SFT!r}")
    add("--dpo", default="", metavar="WORDS", help="options of training/dpo.py; idpo begins with " + RPO)
    options = parser.parse_args(arguments)
    _options.check(options, "iterations", "samples", "rollouts", "draws", "turns")
    if min(options.lambda_tokens, options.lambda_readable) < 0 or not 0 < options.share <= 1:
        raise BadInput("expected --lambda-tokens and --lambda-readable >= 0 and a --share above 0, up to 1")
    start(options)  # here, since a run folder keeps to the options that it was begun with
    return options


if __name__ == "__main__":
    sys.exit(main())
