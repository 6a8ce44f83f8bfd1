"""Behavioural cloning: a supervised start, from golds alone, for a team that cannot yet do the task.

    orchestra train cloning --model smollm2 --benchmark hotpot:bridge --level 0 --shots 0 --items 400 --n 200

    demonstrations of training tasks (training/_demonstrations.py) -> SFT of every policy on the words that are right
    -> the gate, on development tasks -> held-out figures before and after, paired

It is what loops that select among a team's own words start from, where there is nothing to select: as the BC stage of
AgentGym (arXiv 2406.04151), whose demonstrations are a larger model's. Here nobody larger is asked, so what is shown is
an answer without a reason. A benchmark fits whose strict rule reads "Answer: X"; for talk, one with split evidence.

    orchestra train optima --init runs/cloning/adapters/cloned ...           goes on from the weights
    orchestra train atgrpo --init runs/cloning/adapters/cloned --team talk ...
    orchestra train agentevol --demonstrations runs/cloning/demonstrated ... takes the trajectories (chain: --wrong 0)

What goes on wants the same --team, --shots and --system, since these make the prompts.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from orchestra.engine import Actor
from orchestra.errors import BadData, BadInput
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.evaluate import evaluate
from orchestra.evaluation.gate import LEVEL, better
from orchestra.evaluation.outcome import against
from orchestra.evaluation.rewards import TASK, earned
from orchestra.learning import recipe
from orchestra.models import names
from orchestra.models.progress import Report
from orchestra.training import _loop, _options, _report
from orchestra.training._demonstrations import DEMONSTRATED, credited, demonstrator, proposals
from orchestra.training._loop import wait
from orchestra.training._stages import Stages
from orchestra.training._team import Kind
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task

UNTRAINED, CLONED = "untrained", "cloned"
SFT: Final = "--epochs 3 --lr 6e-4"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C."""
    return recipe.run(cloning, parse, summary, arguments)


def cloning(options: Namespace, report: Report) -> dict[str, Any]:
    """The whole loop; what result.json holds."""
    loop = _loop.begin("cloning", options, report)
    team = Cloning(loop, options, _loop.drawn(loop, options, shown=options.shots, rounds=1))
    shown = team.demonstrate()
    before = team.on_dev(UNTRAINED)
    untrained = team.measured(UNTRAINED)
    trained = team.fit()
    after = team.on_dev(CLONED, CLONED)
    gate = loop.gate(f"gate {CLONED}", lambda: better(after, before, level=options.gate_level), CLONED)
    cloned = team.measured(CLONED, CLONED)
    result = {
        "systems": {UNTRAINED: untrained.summary(), CLONED: cloned.summary()},
        "paired": {CLONED: against(cloned, {UNTRAINED: untrained})},
        "demonstrated": shown,
        "training": trained,
        "gates": [gate.figures()],
        "stands": CLONED if gate.promoted else UNTRAINED,
    }
    return loop.finish(result)


class Cloning(Stages):
    """The stages of the loop, of one set of tasks."""

    def demonstrate(self) -> dict[str, Any]:
        """A trajectory of each training task, and its credit, in a run folder; what there is to learn."""
        figures = self.loop.stage("demonstrate", self._demonstrated)
        if figures["too_long"]:
            self.loop.say(
                f"{figures['too_long']} of {figures['decisions']} demonstrated replies are longer than a reply may be; "
                f"fix: --max-tokens {figures['longest']}"
            )
        return figures

    def fit(self) -> dict[str, Any]:
        """Trains every policy on its own words that are right; the figures of the training."""
        start = ["--trajectories", str(self.loop.folder / DEMONSTRATED), "--output", str(self.loop.adapters(CLONED))]
        given = [*_options.words(SFT), *_options.words(self.options.sft), "--credit", DEMONSTRATED]
        return self.loop.fitted(f"train {CLONED}", "sft", *start, *given)

    def _demonstrated(self) -> dict[str, Any]:
        options, tasks, benchmark = self.options, self.tasks.training, self.loop.benchmark
        wrong = options.wrong if options.team == "chain" else 0.0
        said = dict(zip((task.id for task in tasks), proposals(tasks, benchmark, wrong), strict=True))

        def team(task: Task) -> Actor:
            return demonstrator(self.cast, task, said[task.id])

        how: dict[str, Any] = {"seed": options.seed, "progress": self.loop.progress(DEMONSTRATED)}
        with self.loop.run(DEMONSTRATED) as folder:
            wait(evaluate(team, tasks, benchmark, folder, name=DEMONSTRATED, per_task=True, **how))
            grown = list(folder.trajectories())
            check(grown, benchmark)
            tables = credited(earned(grown, benchmark), benchmark)
            folder.annotate(DEMONSTRATED, {each.id: t for each, t in zip(grown, tables, strict=True)})
        values = [row.value for table in tables for row in table.rows.values()]
        return {
            "trajectories": len(grown),
            "decisions": len(values),
            "learnable": values.count(1.0),
            **self._lengths(grown),
        }

    def _lengths(self, grown: Sequence[Trajectory]) -> dict[str, int]:
        """Tokens of the longest reply, its end included, and how many have more than a reply may have."""
        encoder = recipe.encoder(names.folder(self.options.model), grown)
        assert encoder is not None, "the words of demonstrations have no ids"
        said = [d.completion.text for each in grown for d in each.decisions if d.completion is not None]
        tokens = [len(encoder.plain(text)) + 1 for text in said]
        return {"longest": max(tokens), "too_long": sum(n > self.options.max_tokens for n in tokens)}


def check(grown: Sequence[Trajectory], benchmark: Benchmark) -> None:
    """Raises BadData where a demonstration ends in what the benchmark's strict rule does not find right."""
    wrong = [s.trajectory for s in earned(grown, benchmark) if any(rewards[TASK] != 1.0 for rewards in s.rewards)]
    if wrong:
        first = wrong[0]
        raise BadData(
            f"expected demonstrations that {benchmark.name} finds strictly right, got {len(wrong)} of {len(grown)} "
            f"that are not, the first {first.leaf.content!r:.80} of {first.task.id!r}; fix: another --benchmark"
        )


def summary(result: Mapping[str, Any]) -> str:
    """Every system, the verdict, and what stands."""
    shown = result["demonstrated"]
    lines = [f"{shown['trajectories']} demonstrations, {shown['learnable']} of {shown['decisions']} decisions learnt"]
    lines += [*_report.table(result["systems"]), *_report.verdicts(result["paired"])]
    return "\n".join([*lines, f"stands: {result['stands']}; all figures in {result['output']}/result.json"])


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = recipe.Parser("cloning", allow_abbrev=False, description="Demonstrate from golds, train: cloning.")
    _options.common(parser, "runs/cloning", "hotpot:bridge", shots=2, longest=48)
    add = parser.add_argument
    add("--team", choices=get_args(Kind), default="talk", help="who learns; talk: seats with private lines (default)")
    add("--turns", type=int, default=3, help="of each who talks, or questions to ask, at most (default 3)")
    add("--wrong", type=float, default=0.5, help="chain: share of tasks with a wrong proposal (default 0.5)")
    add("--sft", default="", metavar="WORDS", help=f"options of training/sft.py, after {SFT!r}")
    add("--gate-level", type=float, default=LEVEL, help=f"p below which the gate lets through (default {LEVEL})")
    options = parser.parse_args(arguments)
    _options.check(options, "turns")
    if not 0 <= options.wrong <= 1:
        raise BadInput(f"expected a --wrong share from 0 to 1, got {options.wrong!r}")
    return options


if __name__ == "__main__":
    sys.exit(main())
