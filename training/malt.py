"""MALT end to end (arXiv 2412.01928): a chain of generator, verifier and refiner learns from its own trees.

    orchestra train malt --model smollm2 --benchmark arith:add2 --items 240 --n 120

    round:  collect trees -> nested mean -> SFT of all roles from the base -> DPO of verifier and refiner from there
    each:   what was trained takes the place of what stands only if development tasks show it to be better
    last:   held-out tasks, alone and by majority of --vote passes: untrained team, SFT alone, MALT, and one agent
            trained on as many tokens, whose votes cost as many tokens; paired tests, printed whichever wins

Differs from the paper: prompts show solved training tasks; trees may be grown under a right and a wrong proposal alone
(--contrast); rounds may follow each other, with fresh tasks drawn by what stands. A verdict counts as good when the
refiner behind it is right, whatever it said; --verifier-credit verdict pays it for its own correctness instead.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

from orchestra.credit import Annotation, Table
from orchestra.engine import Full
from orchestra.errors import BadData, BadInput
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.collect import contrast, trees, yields
from orchestra.evaluation.evaluate import samples_for
from orchestra.evaluation.gate import LEVEL, Decision, better
from orchestra.evaluation.outcome import against
from orchestra.evaluation.result import Result
from orchestra.evaluation.rewards import credited, earned
from orchestra.learning import recipe, sft_rows
from orchestra.learning.pairs import preference_pairs
from orchestra.models.progress import Report
from orchestra.team import Team
from orchestra.topologies import self_consistency, solo
from orchestra.training import _loop, _options, _report
from orchestra.training._loop import STANDING, Loop, Tasks, wait
from orchestra.training._team import CHAIN, Manner, malt_team, roles
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import FrozenMap, Task

VOTE: Final = ", vote"
"""Ends the name of a majority."""
OWN: Final = "own_answer"
"""What the single agent learns from."""
LEARNERS: Final = ("verifier", "refiner")
"""Trained on pairs too; SFT and DPO together made the paper's generator worse."""
SFT: Final = "--epochs 3 --lr 6e-4 --per-task 1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C."""
    return recipe.run(malt, parse, summary, arguments)


def malt(options: Namespace, report: Report) -> dict[str, Any]:
    """The whole loop; what result.json holds."""
    loop = _loop.begin("malt", options, report)
    team = Malt(loop, options, _loop.drawn(loop, options, shown=options.shots, rounds=options.rounds))
    standing = team.on_dev("untrained")
    untrained = team.measured("untrained")
    loop.forecast(team.passes())
    gates: list[Decision] = []
    for number in range(1, options.rounds + 1):
        collected = team.collect(number)
        last = sft = team.sft(number, verdicts=collected["right_verdicts"] > 0)
        standing = team.gated(gates, standing, sft)
        if collected["pairs"]:
            last = team.dpo(number, sft)
            standing = team.gated(gates, standing, last)
        else:
            loop.say("no pair to learn from: SFT alone; fix: more --contrast, more draws, or a higher --temperature")
    trained = team.single(options.rounds, collected["right_alone"])
    found = {"untrained": untrained, **team.measured_all(sft, last)}
    result = {
        "systems": {name: each.summary() for name, each in found.items()},
        "paired": {
            ours: against(found[ours], {n: r for n, r in found.items() if n != ours and vote == n.endswith(VOTE)})
            for ours, vote in (("malt", False), (f"malt{VOTE}", True))
        },
        "trained_tokens": trained,
        "gates": [gate.figures() for gate in gates],
        "stands": standing.system.partition(",")[0],
        **({"swapped": team.swapped(last, found["malt"])} if options.swap else {}),
    }
    return loop.finish(result)


class Malt:
    """The stages of the loop, of one set of tasks."""

    def __init__(self, loop: Loop, options: Namespace, tasks: Tasks) -> None:
        self.loop, self.options, self.tasks = loop, options, tasks
        self.given = [*_options.words(SFT), *_options.words(options.sft)]
        manner = Manner(max_tokens=options.max_tokens, system=options.system)
        self.roles = roles(tasks.shown, manner, tasks.training[0].kind)

    def team(self, adapters: str = "", *, warm: bool = False) -> Team:
        """The team on these adapters; `warm`: sampled."""
        temperature = self.options.temperature if warm else 0.0
        return malt_team(self.roles, self.loop.policies(CHAIN, adapters), temperature)

    def measured(self, name: str, adapters: str = "") -> Result:
        return self.loop.measured(name, lambda: self.team(adapters), self.tasks.test)

    def measured_all(self, sft: str, last: str) -> dict[str, Result]:
        """Every trained system on held-out tasks, and the votes of all; those of the single agent cost what the
        team's do."""
        found = {name: self.measured(name, adapters) for name, adapters in (("sft", sft), ("malt", last))}
        found["single"] = self.loop.measured("single", self._alone, self.tasks.test)
        for name, adapters in (("untrained", ""), ("sft", sft), ("malt", last)):
            found[f"{name}{VOTE}"] = self.voted(name, adapters)
        samples = samples_for(round(found[f"malt{VOTE}"].tokens.mean), found["single"].tokens.mean)

        def many() -> Team:
            agent = self._alone().agents()[0]
            warm = replace(agent.role, temperature=self.options.temperature)
            return self_consistency(replace(agent, role=warm), n=samples)

        found[f"single{VOTE}"] = self.loop.measured(f"single{VOTE}", many, self.tasks.test)
        return found

    def voted(self, name: str, adapters: str) -> Result:
        """The majority of passes of the team."""

        def many() -> Team:
            return self_consistency(self.team(adapters, warm=True), n=self.options.vote)

        return self.loop.measured(f"{name}{VOTE}", many, self.tasks.test)

    def on_dev(self, name: str, adapters: str = "") -> Result:
        return self.loop.measured(f"{name}, development", lambda: self.team(adapters), self.tasks.dev)

    def gated(self, gates: list[Decision], standing: Result, adapters: str) -> Result:
        """Development figures of what stands after the gate: of these adapters, or those given."""
        candidate, level = self.on_dev(adapters, adapters), self.options.gate_level
        gates.append(self.loop.gate(f"gate {adapters}", lambda: better(candidate, standing, level=level), adapters))
        return candidate if gates[-1].promoted else standing

    def passes(self) -> float:
        """Passes of the team to come, by number of calls; what is swapped not counted."""
        o = self.options
        first, second, third = branches(o).values()
        tree = o.items * first * (1 + second * (1 + third))
        few = o.items * first + 2 * min(o.contrast, o.items) * second * (1 + third)
        measured: int = o.n * (2 + 4 * o.vote) + 2 * o.rounds * o.dev
        drawn: int = o.rounds * (few if o.contrast else tree)
        return drawn / len(CHAIN) + measured

    def collect(self, number: int) -> dict[str, Any]:
        """Trees on the tasks of a round, drawn by what stands, and their credit; what there is to learn from."""
        options, name = self.options, f"collected-{number}"
        draws = branches(options)

        def work() -> dict[str, Any]:
            team, tasks = self.team(STANDING, warm=True), self._asked(number)
            benchmark, how = self.loop.benchmark, {"seed": options.seed, "progress": self.loop.progress(name)}
            with self.loop.run(name) as folder:
                if options.contrast:
                    samples, below, _ = draws.values()
                    going = contrast(
                        team, tasks, benchmark, folder, samples=samples, branch=below, items=options.contrast, **how
                    )
                else:
                    going = trees(team, tasks, Full(1, FrozenMap(draws)), folder, **how)
                grown = wait(going)
                tables = credited(earned(grown, benchmark), ["nested_mean", "verdict"], folder, benchmark)
                alone = [own(tree, benchmark) for tree in grown]
                folder.annotate(OWN, {tree.id: table for tree, table in zip(grown, alone, strict=True)})
            most = _options.last(self.given, "--per-task")
            pairs = preference_pairs(grown, tables["nested_mean"], roles=LEARNERS)
            made = {(tree.task.id, d.key): d for tree in grown for d in tree.decisions}
            return {
                "trajectories": len(grown),
                "decisions": len(made),
                "tokens_out": sum(d.completion.usage.tokens_out for d in made.values() if d.completion),
                "yields": {
                    y.role: {"decisions": y.decisions, "good": y.good} for y in yields(grown, tables["nested_mean"])
                },
                "right_verdicts": sum(y.good for y in yields(grown, tables["verdict"])),
                "right_alone": len(sft_rows(grown, alone, per_task=int(most) if most else None)),
                "pairs": dict(Counter(pair.role for pair in pairs)),
            }

        return self.loop.stage(f"collect {number}", work)

    def sft(self, number: int, *, verdicts: bool) -> str:
        """Trains every role on its good decisions; the name of the adapters."""
        output = f"sft-{number}"
        start = self._from(number, output)
        if self.options.verifier_credit == "nested_mean":
            self.loop.fitted(f"train {output}", "sft", *start, *self.given, "--roles", *CHAIN)
        else:
            self.loop.fitted(f"train {output}", "sft", *start, *self.given, "--roles", "generator", "refiner")
            own = ["--roles", "verifier", "--credit", "verdict"]
            if verdicts:
                self.loop.fitted(f"train {output} verifier", "sft", *start, *self.given, *own)
        return output

    def dpo(self, number: int, init: str) -> str:
        """Trains verifier and refiner on pairs, from the SFT adapters; the name of the adapters."""
        output = f"dpo-{number}"
        given = [*_options.words(self.options.dpo), "--roles", *LEARNERS]
        start = [*self._from(number, output), "--init", str(self.loop.adapters(init))]
        self.loop.fitted(f"train {output}", "dpo", *start, *given)
        return output

    def single(self, number: int, rows: int) -> dict[str, int]:
        """Trains one agent on answers of a round that were right by themselves, `rows` of them, for as many tokens as
        the team was in that round; the tokens of both.

        Tokens are matched by epochs, whole ones, so that no task is seen that the team did not see.
        """
        if not rows:
            raise BadData("the generator alone was never right, so no single agent can be trained; fix: more --items")
        names = (f"train sft-{number}", f"train dpo-{number}")
        fits = [stage["figures"] for stage in self.loop.stages if stage["name"].startswith(names)]
        done = [policy for fit in fits for policy in fit["policies"].values()]
        tokens = sum(policy["tokens"] for policy in done)
        like = fits[0]["policies"].get("generator", done[0])
        row = like["tokens"] / like["rows"] / int(_options.last(self.given, "--epochs") or 1)
        more = ["--credit", OWN, "--roles", "generator", "--epochs", str(max(1, round(tokens / (row * rows))))]
        fit = self.loop.fitted("train single", "sft", *self._from(number, "single"), *self.given, *more)
        return {"team": tokens, "single": fit["policies"]["generator"]["tokens"]}

    def swapped(self, adapters: str, usual: Result) -> dict[str, Any]:
        """What exchanging the trained adapters of two roles does; `paired` is of the team as trained."""
        found = {}
        for a, b in combinations(CHAIN, 2):

            def made(a: str = a, b: str = b) -> Team:
                own = self.loop.policies(CHAIN, adapters)
                return malt_team(self.roles, {**own, a: replace(own[b], name=a), b: replace(own[a], name=b)})

            found[f"{a} and {b}"] = self.loop.measured(f"swapped {a} and {b}", made, self.tasks.test)
        return {"systems": {n: r.summary() for n, r in found.items()}, "paired": against(usual, found)}

    def _asked(self, number: int) -> Sequence[Task]:
        """The training tasks of a round, which no other round has."""
        return self.tasks.training[(number - 1) * self.options.items : number * self.options.items]

    def _from(self, number: int, output: str) -> list[str]:
        run = self.loop.folder / f"collected-{number}"
        return ["--trajectories", str(run), "--output", str(self.loop.adapters(output))]

    def _alone(self) -> Team:
        """The single agent, trained."""
        return solo(self.roles["generator"](self.loop.policies(CHAIN[:1], "single")["generator"]))


def own(tree: Trajectory, benchmark: Benchmark) -> Table:
    """Every generator's decision by the strict score of its own words, whatever the team made of them."""
    rows = {d.key: Annotation(None) for d in tree.decisions}
    for d in tree.decisions:
        if d.role == CHAIN[0] and d.completion is not None:
            rows[d.key] = Annotation(benchmark.score(tree.task, d.completion.text).strict)
    return Table(OWN, "", rows)


def branches(options: Namespace) -> dict[str, int]:
    """Role -> draws, of --branch."""
    try:
        draws = [int(word) for word in options.branch.split(",")]
    except ValueError:
        draws = []
    draws = draws * len(CHAIN) if len(draws) == 1 else draws
    if len(draws) != len(CHAIN) or min(draws) < 1 or (options.contrast and draws[1] != draws[2]):
        raise BadInput(
            f"--branch {options.branch!r}: expected one number of draws, or three; with --contrast the last two alike; "
            "fix: 4,3,3"
        )
    return dict(zip(CHAIN, draws, strict=True))


def summary(result: Mapping[str, Any]) -> str:
    """Every system, the verdicts, and what stands."""
    swapped = {"malt as trained": result["swapped"]["paired"]} if "swapped" in result else {}
    systems = {**result["systems"], **(result["swapped"]["systems"] if "swapped" in result else {})}
    lines = [*_report.table(systems), *_report.verdicts({**result["paired"], **swapped})]
    return "\n".join([*lines, f"stands: {result['stands']}; all figures in {result['output']}/result.json"])


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = recipe.Parser("malt", allow_abbrev=False, description="Collect, credit, SFT, DPO, evaluate: MALT.")
    _options.common(parser, "runs/malt-loop")
    add = parser.add_argument
    add("--rounds", type=int, default=1, help="of collecting and training (default 1)")
    add("--branch", default="4,3,3", metavar="N|N,N,N", help="draws of each decision, or of each role (default 4,3,3)")
    add("--contrast", type=int, default=24, metavar="K",
        help="grow verifier and refiner on K tasks drawn right and wrong; 0: whole trees (default 24)")  # fmt: skip
    add("--vote", type=int, default=3, metavar="K", help="passes of a majority (default 3)")
    add(
        "--verifier-credit",
        choices=("nested_mean", "verdict"),
        default="nested_mean",
        help="what verdicts are paid for",
    )
    add("--sft", default="", metavar="WORDS", help=f"options of training/sft.py, after {SFT!r}")
    add("--dpo", default="", metavar="WORDS", help="options of training/dpo.py")
    add("--gate-level", type=float, default=LEVEL, help=f"p below which the gate lets through (default {LEVEL})")
    add("--swap", action="store_true", help="also measure the team with the adapters of two roles exchanged")
    options = parser.parse_args(arguments)
    _options.check(options, "rounds", "vote")
    if options.contrast < 0:
        raise BadInput(f"expected --contrast >= 0, got {options.contrast}")
    branches(options)
    return options


if __name__ == "__main__":
    sys.exit(main())
