"""The options that recipes of reinforcement share, what their words mean, and which do not go together."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final, get_args

from orchestra.errors import BadInput
from orchestra.evaluation.rewards import OWN, VERDICT
from orchestra.learning import recipe
from orchestra.learning.rl.settings import CHOICES, Update
from orchestra.learning.settings import CHOICES as SETTINGS
from orchestra.training._team import Kind

CRITICS: Final = ("critic_lr", "gamma", "decay", "value_clip", "warmup", "clam")
"""Settings that mean something beside a critic alone."""


def common(parser: recipe.Parser, branch: str = "4,2,2") -> None:
    """The options of every such recipe but those of the update."""
    add = parser.add_argument
    add(
        "--output", type=recipe.folder, required=True, metavar="DIR", help="where versions, journals and checkpoints go"
    )
    add("--model", default="smollm2", help="the base: smollm2, tiny, hf:FOLDER or hf:ORG/NAME@REVISION")
    add("--init", type=Path, metavar="DIR", help="adapters to start from; a policy not in them starts from the base")
    add("--learn", nargs="+", metavar="POLICY", help="these policies alone; the others speak as they started")
    add("--team", choices=get_args(Kind), default="chain", help="who learns (default chain)")
    add("--benchmark", default="arith:add2", metavar="NAME", help="of the shelf, NAME:FAMILY, or FILE.py")
    add("--level", type=int, default=1, help="difficulty of sampled tasks, 0 to 4 (default 1)")
    add("--shots", type=int, default=3, help="solved training tasks that prompts show (default 3)")
    add("--system", default="Answer the question.", help="what everyone is told first")
    add("--max-tokens", type=int, default=24, help="of a reply (default 24)")
    add("--temperature", type=float, default=1.0, help="of what is learnt from (default 1)")
    add("--steps", type=int, default=20, help="of the whole run (default 20); more later go on from there")
    add("--tasks", type=int, default=16, help="of a step (default 16)")
    add("--branch", metavar="N|N,N,...", help=f"draws of each state, or of each policy's (default {branch})")
    parser.set_defaults(usual_branch=branch)
    add(
        "--screen",
        type=int,
        default=0,
        metavar="N",
        help="at first at most N draws of a state, and the others only where these differ (default 0: all at once)",
    )
    add("--mode", choices=("full", "aligned", "best"), default="full", help="how trees grow (default full)")
    add("--rule", choices=("strict", "flexible"), default="strict", help="what counts as right (default strict)")
    add("--local", choices=("none", VERDICT, OWN), default="none",
        help="what else is paid: a verdict that is right, or everyone's own words that are")  # fmt: skip
    add("--main", metavar="ROLE", help="who is paid for the team's success alone, without --local")
    add(
        "--horizon", default="3", metavar="N|N,N,...", help="rounds of a talk, or questions, stage by stage (default 3)"
    )
    add("--horizon-every", type=int, default=10, metavar="STEPS", help="of a stage (default 10)")
    add("--stale", type=int, choices=(0, 1), default=0, help="1: the next trees are drawn while a step is taken")
    add("--report-to", choices=SETTINGS["report_to"], default="none", help="where each step's figures go too")
    add("--json", action="store_true", help="print one JSON object on stdout; progress goes to stderr")


def update(options: Namespace) -> Update:
    """The options of the update among these."""
    given = {each.name: getattr(options, each.name) for each in fields(Update) if hasattr(options, each.name)}
    return Update(**given)


def updating(parser: recipe.Parser, default: Update) -> None:
    """Options of the update; what they mean stands in `Update`. Those of a critic only where there is one."""
    add = parser.add_argument
    for each in fields(Update):
        if each.name == "critic" or (each.name in CRITICS and default.critic == "none"):
            continue
        usual, name = getattr(default, each.name), f"--{each.name.replace('_', '-')}"
        if each.name in CHOICES:
            add(name, choices=CHOICES[each.name], default=usual, help=f"(default {usual})")
        else:
            add(name, type=type(usual), default=usual, help=f"(default {usual:g})")


def check(options: Namespace) -> None:
    """Raises BadInput for counts below 1, a temperature of 0, or options of the update that cannot be."""
    for name in ("steps", "tasks", "max_tokens", "horizon_every"):
        if getattr(options, name) < 1:
            raise BadInput(f"expected --{name.replace('_', '-')} >= 1, got {getattr(options, name)}")
    if options.temperature <= 0 or options.shots < 0:
        raise BadInput(
            f"expected --temperature > 0 and --shots >= 0, got {options.temperature:g} and {options.shots}; "
            "fix: --temperature 1"
        )
    if len(horizons(options.horizon)) > 1 and options.team not in ("talk", "ask"):
        raise BadInput(f"--horizon is of a team that talks or asks, got --team {options.team}; fix: --team talk")
    update(options)


def horizons(given: str) -> list[int]:
    """Rounds that the team may take, stage by stage (ScalingInter-RL, arXiv 2509.08755).

    >>> horizons("2,3")
    [2, 3]
    """
    try:
        found = [int(word) for word in given.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise BadInput(f"expected --horizon of one or several numbers above 0, got {given!r}; fix: 1,2,3")
    return found


def draws(given: str | None, usual: str, policies: Sequence[str]) -> dict[str, int]:
    """Policy -> draws of each of its states, of --branch: one number for all, or one a policy; the `usual` ones where
    none are given, of one policy the first.

    >>> draws("4,2,1", "", ["generator", "verifier", "refiner"]), draws(None, "4,2,2", ["talker"])
    ({'generator': 4, 'verifier': 2, 'refiner': 1}, {'talker': 4})
    """
    try:
        numbers = [int(word) for word in (given or usual).split(",")]
    except ValueError:
        numbers = []
    numbers = numbers[: len(policies)] if given is None else numbers
    numbers = numbers * len(policies) if len(numbers) == 1 else numbers
    if len(numbers) != len(policies) or min(numbers) < 1:
        raise BadInput(
            f"expected --branch of one number, or of {len(policies)} ({', '.join(policies)}), got {given!r}; fix: 4"
        )
    return dict(zip(policies, numbers, strict=True))


def compared(draws: Mapping[str, int], learning: Sequence[str], options: Namespace, update: Update) -> None:
    """Raises BadInput where a policy that is to learn would never have anything to learn from, or wrongly."""
    if options.mode != "full" and len(set(draws.values())) > 1:
        raise BadInput(f"--mode {options.mode} draws alike for all, got --branch {options.branch}; fix: one number")
    if options.screen:
        _screening(draws, options, update)
    if update.order == "sequential" and any(number > 1 for number in list(draws.values())[1:]):
        raise BadInput(
            "--order sequential corrects along single paths, so the first policy alone may have several draws, got "
            f"{','.join(map(str, draws.values()))}; fix: --branch {next(iter(draws.values()))}"
            f"{',1' * (len(draws) - 1)}, or --order joint"
        )
    if update.critic == "none" and options.group == "state" and options.single == "zero" and options.mode == "full":
        alone = [policy for policy in learning if draws[policy] == 1]
        if alone:
            others = [policy for policy in learning if policy not in alone]
            raise BadInput(
                f"{', '.join(alone)} would learn nothing, since a single draw is compared with nobody; fix: --branch "
                f"of 2 or more, --single moving{', or --learn ' + ' '.join(others) if others else ''}"
            )


def _screening(draws: Mapping[str, int], options: Namespace, update: Update) -> None:
    """Raises BadInput where nothing could tell that draws differ, or none would be saved."""
    most = max(draws.values())
    if not 2 <= options.screen < most:
        raise BadInput(f"expected --screen from 2 to below the {most} draws of --branch, got {options.screen}; fix: 2")
    if update.critic != "none" or options.single == "moving" or options.mode != "full":
        raise BadInput(
            "--screen looks for draws that differ from their siblings, so it goes with --mode full and --single zero, "
            "and with no critic; fix: drop --screen"
        )
