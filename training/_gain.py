"""What a team gains by reinforcement: measured before and after on the same held-out tasks, and beside controls.

    start -> held-out figures -> training/grpo.py or ppo.py -> held-out figures, paired with the start's
                              -> the same with other options, from the same start: a control for each --against

Whichever wins is told; what stands is decided apart, on development tasks.
"""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any, Final, get_args

from orchestra.errors import BadInput, UnknownName
from orchestra.evaluation.gate import LEVEL, better
from orchestra.evaluation.outcome import against
from orchestra.evaluation.result import Result
from orchestra.evaluation.rewards import earned, own
from orchestra.learning import recipe
from orchestra.models.progress import Report
from orchestra.training import _loop, _options, _reinforce_options, _report
from orchestra.training._loop import Loop, Tasks
from orchestra.training._stages import Stages, start
from orchestra.training._team import CHAIN, POLICIES, Kind

START, TRAINED = "start", "trained"
OURS: Final = frozenset(
    f"--{name}"
    for name in (
        "output", "benchmark", "level", "team", "shots", "system", "max-tokens", "temperature", "model", "init",
        "steps", "tasks", "seed", "horizon", "json",
    )
)  # fmt: skip
"""Options of a training that the loop gives it: they say what is measured too."""


class Gain(Stages):
    """The stages of one comparison."""

    def __init__(self, loop: Loop, options: Namespace, tasks: Tasks) -> None:
        super().__init__(loop, options, tasks)
        self.draws = _reinforce_options.draws(options.branch, options.usual_branch, self.cast.policies)

    def fitted(self, name: str, trainer: str, words: Sequence[str]) -> dict[str, Any]:
        """A training from the start; its figures."""
        o = self.options
        given = ["--output", str(self.loop.adapters(name)), "--benchmark", o.benchmark, "--level", str(o.level)]
        given += ["--team", o.team, "--shots", str(o.shots), "--system", o.system, "--max-tokens", str(o.max_tokens)]
        given += ["--temperature", str(o.temperature), "--steps", str(o.steps), "--tasks", str(o.items)]
        given += ["--branch", ",".join(map(str, self.draws.values())), "--horizon", str(o.turns)]
        given += ["--init", self.start] if self.start else []
        return self.loop.fitted(f"train {name}", trainer, *given, *words)

    def own_words(self, name: str) -> dict[str, float]:
        """Role -> share of its held-out decisions whose own words are right, whatever the team made of them; a role of
        which none can be scored is left out."""
        with self.loop.run(f"measured/{name}") as folder:
            trees = list(folder.trajectories())
        values = defaultdict[str, list[float]](list)
        for tree, table in zip(trees, own(self.loop.benchmark)(earned(trees, self.loop.benchmark)), strict=True):
            for decision in tree.decisions:
                if (value := table.rows[decision.key].value) is not None:
                    values[decision.role].append(value)
        return {role: fmean(of_role) for role, of_role in values.items()}

    def swapped(self, usual: Result) -> dict[str, Any]:
        """What exchanging the trained adapters of two roles does; `paired` is of the team as trained."""
        found = {}
        for a, b in combinations(self.cast.policies, 2):

            def made(a: str = a, b: str = b) -> Any:
                bound = self.loop.policies(self.cast.policies, TRAINED)
                return self.cast.make({**bound, a: replace(bound[b], name=a), b: replace(bound[a], name=b)}, 0.0)

            found[f"{a} and {b}"] = self.loop.measured(f"swapped {a} and {b}", made, self.tasks.test)
        return {"systems": {n: r.summary() for n, r in found.items()}, "paired": against(usual, found)}


def gain(name: str, trainer: str, words: Sequence[str], options: Namespace, report: Report) -> dict[str, Any]:
    """The whole loop; what result.json holds. `words` are the trainer's options that make it this one."""
    loop = _loop.begin(name, options, report)
    team = Gain(loop, options, _loop.drawn(loop, options, shown=options.shots, rounds=options.steps))
    given = [*words, *_options.words(getattr(options, trainer))]
    first = team.on_dev(START, team.start)
    found = {START: team.measured(START, team.start)}
    trained = {TRAINED: team.fitted(TRAINED, trainer, given)}
    found[TRAINED] = team.measured(TRAINED, TRAINED)
    for control, more in controls(options.against).items():
        trained[control] = team.fitted(control, trainer, [*given, *more])
        found[control] = team.measured(control, control)
    candidate = team.on_dev(TRAINED, TRAINED)
    gate = loop.gate(f"gate {TRAINED}", lambda: better(candidate, first, level=options.gate_level), TRAINED)
    result = {
        "systems": {name: each.summary() for name, each in found.items()},
        "paired": {TRAINED: against(found[TRAINED], {n: r for n, r in found.items() if n != TRAINED})},
        "gates": [gate.figures()],
        "stands": TRAINED if gate.promoted else START,
        "training": trained,
        **({"own_words": {name: team.own_words(name) for name in found}} if options.team == "chain" else {}),
        **({"swapped": team.swapped(found[TRAINED])} if options.swap else {}),
    }
    return loop.finish(result)


def summary(result: Mapping[str, Any]) -> str:
    """Every system, the verdicts, and what stands."""
    more = {"as trained": result["swapped"]["paired"]} if "swapped" in result else {}
    systems = {**result["systems"], **(result["swapped"]["systems"] if "swapped" in result else {})}
    lines = [*_report.table(systems), *_report.verdicts({**result["paired"], **more})]
    for name, each in result["training"].items():
        lines.append(f"{name}: {_course(each)}")
    words: Mapping[str, Mapping[str, float]] = result.get("own_words", {})
    for role in dict.fromkeys(role for of in words.values() for role in of):
        shares = ", ".join(f"{100 * of[role]:.1f} % {name}" for name, of in words.items() if role in of)
        lines.append(f"right by its own words: {role} {shares}")
    return "\n".join([*lines, f"stands: {result['stands']}; all figures in {result['output']}/result.json"])


def _course(training: Mapping[str, Any]) -> str:
    """How a training went, and what there was to learn from."""
    curve = training["curve"]
    drawn, kept = sum(step["rows"] for step in curve), sum(step["kept"] for step in curve)
    mixed, far = fmean(step["mixed"] for step in curve), fmean(step["mismatch_kl"] for step in curve)
    return (
        f"reward {training['reward_first']:.3f} -> {training['reward_last']:.3f} in {training['steps']} steps, "
        f"{training['seconds']:.0f} s; {sum(step['calls'] for step in curve)} calls, {100 * mixed:.0f} % of tasks with "
        f"draws to tell apart, {kept} of {drawn} rows learnt from; entropy {curve[0]['entropy']:.3f} -> "
        f"{curve[-1]['entropy']:.3f} nats, mismatch KL {far:.4f}"
    )


def parser_of(name: str, trainer: str, description: str, branch: str) -> recipe.Parser:
    """The options that such loops share; a loop adds its own."""
    parser = recipe.Parser(name, allow_abbrev=False, description=description)
    _options.common(parser, f"runs/{name}", items=16, warmth=1.0)
    add = parser.add_argument
    add("--init", type=Path, metavar="DIR", help="adapters to start from, such as those of malt (default: the base)")
    add("--team", choices=get_args(Kind), default="chain", help="who learns (default chain)")
    add("--turns", type=int, default=3, help="of each who talks, or questions to ask, at most (default 3)")
    add("--steps", type=int, default=20, help="of reinforcement, with --items tasks each (default 20)")
    add("--branch", metavar="N|N,N,...", help=f"draws of each state, or of each policy's (default {branch})")
    parser.set_defaults(usual_branch=branch)
    add(
        "--against",
        action="append",
        default=[],
        metavar="WORDS",
        help=f"train a control too, with these more options of {trainer}.py; several times: several controls",
    )
    add("--swap", action="store_true", help="also measure the team with the adapters of two roles exchanged")
    add("--gate-level", type=float, default=LEVEL, help=f"p below which the gate lets through (default {LEVEL})")
    add(f"--{trainer}", default="", metavar="WORDS", help=f"options of training/{trainer}.py")
    return parser


def controls(against: Sequence[str]) -> dict[str, list[str]]:
    """Name -> words of each control, named by them. Raises BadInput for none, or the same twice.

    >>> controls(["--group turn", "--local verdict"])
    {'group-turn': ['--group', 'turn'], 'local-verdict': ['--local', 'verdict']}
    """
    found: dict[str, list[str]] = {}
    for each in against:
        words = _options.words(each)
        name = "-".join(word.lstrip("-").replace("=", "-").replace("/", "-") for word in words)
        if not name or name in (START, TRAINED, *found):
            raise BadInput(f"expected --against of words that no other control has, got {each!r}; fix: drop it")
        found[name] = words
    return found


def checked(options: Namespace) -> Namespace:
    """Raises BadInput for counts below 1, roles to exchange where there is one, or words that would train another team
    than is measured; UnknownName for a main agent that the team has not; BadData for a start that is none."""
    _options.check(options, "steps", "turns")
    given = [getattr(options, "grpo", ""), getattr(options, "ppo", ""), *options.against]
    controls(options.against)
    for word in _options.words(" ".join(given)):
        if word.partition("=")[0] in OURS:
            raise BadInput(
                f"expected {word} of the loop itself, since it is of what is measured too; fix: drop the quotes"
            )
    policies = POLICIES[options.team]
    _reinforce_options.draws(options.branch, options.usual_branch, policies)
    if getattr(options, "main", None) not in (None, *policies):
        raise UnknownName("--main", options.main, policies)
    start(options)
    if options.swap and options.team != "chain":
        raise BadInput(f"expected --team chain ({', '.join(CHAIN)}) for --swap, got {options.team}; fix: drop --swap")
    return options
