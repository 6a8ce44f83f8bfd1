"""Baselines by their names on the command line: the same model, settings and roles as the team they stand beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestra.cli import shelf, teams
from orchestra.cli.options import TeamOptions
from orchestra.cli.screen import say
from orchestra.errors import BadInput
from orchestra.evaluation.equal_budget.baselines import WARM, Baseline, Bind, baseline, ensemble
from orchestra.evaluation.equal_budget.matching import SIZINGS
from orchestra.models.model import Policy
from orchestra.team import Agent, AnswerOf, Team

Policies = Mapping[str, Policy]


@dataclass(frozen=True, slots=True)
class Rival:
    """A baseline without weights."""

    name: str
    models: Mapping[str, str]
    """Policy -> name of its base model, of those that our team lacks."""
    make: Callable[[Policies, Team], Baseline]
    """Makes it of its policies and our team."""


def rivals(
    names: Sequence[str], options: TeamOptions, ours: teams.Plan, match: str | None, answers: AnswerOf = teams.NUMBERS
) -> list[Rival]:
    """The baselines of these names. Raises BadInput for whatever cannot be done."""
    if len(set(names)) != len(names):
        raise BadInput(f"--baseline {','.join(names)} names a team twice; fix: each once")
    if match and not set(names) & SIZINGS.keys():
        known = ", ".join(SIZINGS)
        raise BadInput(f"--match {match} is about baselines with a size ({known}); fix: --baseline self_consistency")
    return [_ensemble() if name == "ensemble" else _of_shelf(name, options, ours, answers) for name in names]


def _of_shelf(name: str, options: TeamOptions, ours: teams.Plan, answers: AnswerOf) -> Rival:
    """One on the same model with the same settings, in which a role that our team has is our team's."""
    own = {agent.role.name: agent.role for agent in ours.sketch().agents()}

    def sized(size: int | None) -> teams.Plan:
        option = [] if size is None else [f"{SIZINGS[name].parameter}={size}"]
        plain = replace(options, option=option, agents=None, role=[], patch=[])
        return teams.plan(name, plain, own=own, answers=answers)

    usual = sized(None)

    def make(made: Policies, team: Team) -> Baseline:
        def at(size: int | None, bind: Bind) -> Team:
            return (usual if size is None else sized(size)).make(
                {policy: bind(made[policy]) for policy in usual.models}
            )

        found = baseline(name, at)
        _tell_of_warmth(name, usual.make(made), found)
        return found

    return Rival(name, usual.models, make)


def _ensemble() -> Rival:
    topology = shelf.topology("ensemble")
    assert not isinstance(topology, Team)

    def make(made: Policies, team: Team) -> Baseline:
        def repeated(agents: Sequence[Agent], repeat: int) -> Team:
            return topology(agents, repeat=repeat)

        return ensemble(team, repeated)

    return Rival("ensemble", {}, make)


def _tell_of_warmth(name: str, cold: Team, found: Baseline) -> None:
    if cold.digest != found.usual.digest:
        role = cold.agents()[0].role.name
        say(f"{name}: {role} is greedy, so its samples are drawn at temperature {WARM}")
