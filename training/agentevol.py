"""AgentEvol (arXiv 2406.04151): explore, keep what was right, train from the base on all that was kept, repeat.

    orchestra train agentevol --model smollm2 --benchmark arith:add2 --items 240 --iterations 2

    D_0 = demonstrations, or what the untrained team gets right
    M   <- SFT(base, D_0);   then, so many times:
           D_m = { one trajectory of each training task : r > .99 }, drawn by M;   M <- SFT(base, D_0 + D_m)

It always starts from the base, so that errors do not pile up. The adapters of an iteration take the place of what
stands only where development tasks show them to be better; exploration goes on with the newest either way.

Differs from the paper's code: exploration samples, where that code was greedy; whole teams may learn, each policy from
its own turns.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from orchestra.credit import Scored
from orchestra.errors import BadData, BadInput
from orchestra.evaluation.benchmark import guard_overlap
from orchestra.evaluation.evaluate import evaluate, sample_seed
from orchestra.evaluation.gate import LEVEL, Decision, better
from orchestra.evaluation.outcome import against
from orchestra.evaluation.result import Result
from orchestra.evaluation.rewards import TASK, earned
from orchestra.learning import recipe
from orchestra.models.progress import Report
from orchestra.training import _loop, _options, _report
from orchestra.training._loop import wait
from orchestra.training._select import SELECTED, best_leaves, selected
from orchestra.training._stages import Stages
from orchestra.training._team import Kind
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory

RIGHT: Final = 0.99
"""A trajectory is kept whose reward is higher."""
SFT: Final = "--epochs 3 --lr 6e-4 --per-task 1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C."""
    return recipe.run(agentevol, parse, summary, arguments)


def agentevol(options: Namespace, report: Report) -> dict[str, Any]:
    """The whole loop; what result.json holds."""
    loop = _loop.begin("agentevol", options, report)
    going = AgentEvol(loop, options, _loop.drawn(loop, options, shown=options.shots, rounds=1))
    standing = going.on_dev("untrained")
    untrained = going.measured("untrained")
    loop.forecast((options.iterations + 1) * (options.items * options.samples + options.dev) + 2 * options.n)
    curve, gates, last, stands = [_point("untrained", standing, options)], list[Decision](), "", ""
    for number in range(options.iterations + 1):
        last = going.iterate(number, last)
        found = going.on_dev(last, last)
        gates.append(going.gated(found, standing, last))
        standing, stands = (found, last) if gates[-1].promoted else (standing, stands)
        curve.append(_point(last, found, options))
    trained = {name: going.measured(name, name) for name in dict.fromkeys((last, stands)) if name}
    result = {
        "systems": {"untrained": untrained.summary(), **{name: each.summary() for name, each in trained.items()}},
        "iterations": curve,
        "paired": {name: against(each, {"untrained": untrained}) for name, each in trained.items()},
        "gates": [gate.figures() for gate in gates],
        "stands": stands or "untrained",
    }
    return loop.finish(result)


class AgentEvol(Stages):
    """The stages of the loop, of one set of tasks."""

    def gated(self, candidate: Result, standing: Result, adapters: str) -> Decision:
        options = self.options
        return self.loop.gate(
            f"gate {adapters}", lambda: better(candidate, standing, options.rule, options.gate_level), adapters
        )

    def iterate(self, number: int, last: str) -> str:
        """Explores with the adapters `last`, keeps, and trains from the base; the name of the new adapters."""
        run, name = f"kept-{number}", f"evolved-{number}"
        self.loop.stage(f"explore {number}", lambda: self._explored(run, number, last))
        start = ["--trajectories", str(self.loop.folder / run), "--output", str(self.loop.adapters(name))]
        given = [*_options.words(SFT), *_options.words(self.options.sft), "--credit", SELECTED]
        self.loop.fitted(f"train {name}", "sft", *start, *given)
        return name

    def _explored(self, run: str, number: int, last: str) -> dict[str, Any]:
        """D_m, and with D_0 what is trained on, in a run folder of its own."""
        found = self._kept(self._demonstrated() if number == 0 else self._drawn(number, last))
        with self.loop.run(run) as folder:
            first = found
            if number > 0:
                with self.loop.run("kept-0") as beginning:
                    first = self._scored(list(beginning.trajectories()))
            batch = list({s.trajectory.id: s for s in (*first, *found)}.values())
            if not batch:
                raise BadData(
                    f"expected trajectories that were right, got none in exploration {number}; fix: more --items"
                )
            for scored in batch:
                folder.add(scored.trajectory)
            wait(folder.flushed())
            tables = [selected([scored], TASK, RIGHT)[0] for scored in batch]  # each by itself: a task may have two
            folder.annotate(SELECTED, {s.trajectory.id: t for s, t in zip(batch, tables, strict=True)})
        return {"kept": len(found), "trained_on": len(batch)}

    def _drawn(self, number: int, last: str) -> list[Trajectory]:
        """Every training task, --samples times."""
        team, name, seed = self.team(last, warm=True), f"explored-{number}", self.options.seed
        with self.loop.run(name) as folder:
            how: dict[str, Any] = {"seed": sample_seed(seed, number), "progress": self.loop.progress(name)}
            samples, benchmark = self.options.samples, self.loop.benchmark
            wait(evaluate(team, self.tasks.training, benchmark, folder, name=name, samples=samples, **how))
            return list(folder.trajectories())

    def _demonstrated(self) -> list[Trajectory]:
        """The demonstrations that were given, none of them of a task to be measured on; else the untrained team's."""
        if self.options.demonstrations is None:
            return self._drawn(0, "")
        with open_run(self.options.demonstrations) as folder:
            found = list(folder.trajectories())
        guard_overlap([each.task for each in found], [*self.tasks.dev, *self.tasks.test])
        return found

    def _scored(self, found: Sequence[Trajectory]) -> list[Scored]:
        return earned(found, self.loop.benchmark, self.options.rule)

    def _kept(self, found: Sequence[Trajectory]) -> list[Scored]:
        """One right trajectory of each task."""
        batch = self._scored(found)
        return [batch[place] for place, _ in best_leaves(batch, TASK, RIGHT)]


def _point(name: str, found: Result, options: Namespace) -> dict[str, Any]:
    return {"name": name, "accuracy": found.accuracy(options.rule)._asdict(), "tokens": found.tokens.mean}


def summary(result: Mapping[str, Any]) -> str:
    """Every iteration, every system, the verdicts, and what stands."""
    lines = [
        f"{row['name']:12}{100 * row['accuracy']['mean']:5.1f} % on development, {row['tokens']:.0f} tokens a task"
        for row in result["iterations"]
    ]
    lines += _report.table(result["systems"]) + _report.verdicts(result["paired"])
    return "\n".join([*lines, f"stands: {result['stands']}; all figures in {result['output']}/result.json"])


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = recipe.Parser("agentevol", allow_abbrev=False, description="Explore, keep what is right, train, repeat.")
    _options.common(parser, "runs/agentevol")
    add = parser.add_argument
    add("--team", choices=get_args(Kind), default="solo", help="who learns (default solo)")
    add("--turns", type=int, default=3, help="of each who talks, or questions to ask, at most (default 3)")
    add("--iterations", type=int, default=4, help="after the first training (default 4)")
    add("--samples", type=int, default=1, help="of a training task in each exploration (default 1)")
    add("--demonstrations", type=Path, metavar="RUN_DIR", help="trajectories to begin with (default: the team's own)")
    add("--rule", choices=("strict", "flexible"), default="strict", help="what counts as right (default strict)")
    add("--gate-level", type=float, default=LEVEL, help=f"p below which the gate lets through (default {LEVEL})")
    add("--sft", default="", metavar="WORDS", help=f"options of training/sft.py, after {SFT!r}")
    options = parser.parse_args(arguments)
    _options.check(options, "samples", "turns")
    if options.iterations < 0:
        raise BadInput(f"expected --iterations >= 0, got {options.iterations}")
    return options


if __name__ == "__main__":
    sys.exit(main())
