"""The contract of topologies holds for a good one, and each of its promises is missed by a team that breaks it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType

import pytest

from orchestra.contracts import check_topology
from orchestra.contracts.topology import assembled
from orchestra.engine import START, Context, Edge, MaxRounds, Node, Quorum, Stop, last, majority
from orchestra.engine.budget import Ledger
from orchestra.engine.door import perform
from orchestra.models.scripted import Scripted
from orchestra.team import Agent, Role, Team, number, register
from orchestra.types import Key, Reply, View

ROLES = {"agents": ("generator",) * 3}


def crowd(agents: Sequence[Agent], stop: Stop, **rest: object) -> Team:
    names = [a.name for a in agents]
    return Team("crowd", [Node(a.name, a, **rest) for a in agents], [Edge(START, n) for n in names], stop, majority())


def good(agents: Sequence[Agent], *, share: float = 0.5) -> Team:
    return crowd(agents, Quorum(share))


def alone(agent: Agent) -> Team:
    return Team("alone", [Node(agent.name, agent)], [Edge(START, agent.name)])


def several(*agents: Agent) -> Team:
    return good(agents)


def named(*, judge: Agent, agents: Sequence[Agent], share: float = 0.5) -> Team:
    return good([*agents, judge], share=share)


def beside(function, roles):
    """The function, as if it stood in a module with these ROLES."""
    name = f"contract_topology_{function.__name__}"
    sys.modules[name] = ModuleType(name)
    if roles is not None:
        sys.modules[name].ROLES = roles
    function.__module__ = name
    return function


@pytest.mark.parametrize(
    ("function", "roles", "agents"),
    [
        (good, ROLES, ["generator-1", "generator-2", "generator-3"]),
        (alone, {"agent": ("generator",)}, ["generator"]),
        (several, {"agents": ("generator", "debater")}, ["generator", "debater"]),
        (named, {"agents": ("generator",) * 2, "judge": ("debater",)}, ["generator-1", "generator-2", "debater"]),
    ],
)
def test_slots_of_every_kind_are_filled_and_a_good_topology_passes(function, roles, agents):
    function = beside(function, roles)
    assert [a.name for a in assembled(function, Scripted([])).agents()] == agents
    check_topology(function, seeds=2)


def test_roles_of_ones_own():
    mine = Role("mine", "{{ prompt }}", answer=number)
    check_topology(beside(alone, {"agent": ("mine",)}), roles={"mine": mine}, seeds=1)


def stuck(agents: Sequence[Agent], *, share: float) -> Team:
    return good(agents)


def untyped(agents: Sequence[Agent]):
    return [1]


class Overeager(Quorum):
    """A quorum that says it cannot fire soon."""

    def soonest(self, history):
        return 99


def wasteful(agents: Sequence[Agent]) -> Team:
    register("contract_topology.overeager")(Overeager)
    return crowd(agents, Overeager(0.0))


@register("contract_topology.forgetful")
@dataclass(frozen=True)
class Arrival:
    """Decides by who arrived first, which no actor may know."""

    inner: Agent
    heard: list[str] = field(default_factory=list, compare=False)

    async def __call__(self, view: View, ctx: Context) -> Reply:
        said = await self.inner(view, ctx)
        SEEN.append(view.seat)
        return Reply(said.content, said.answer if len(SEEN) % 2 else "none")


SEEN: list[str] = []


def racing(agents: Sequence[Agent]) -> Team:
    SEEN.clear()
    return Team(
        "racing", [Node(a.name, Arrival(a)) for a in agents], [Edge(START, a.name) for a in agents], output=majority()
    )


@register("contract_topology.unpaid")
@dataclass(frozen=True)
class Unpaid:
    """Calls a model beside the door."""

    inner: Agent

    async def __call__(self, view: View, ctx: Context) -> Reply:
        made = await self.inner.policy.model.generate([self.inner.request(view)])
        return self.inner.role.reply(made[0].text, view)


def backdoor(agents: Sequence[Agent]) -> Team:
    nodes = [*(Node(a.name, a) for a in agents[:2]), Node("free", Unpaid(agents[2]))]
    return Team("backdoor", nodes, [Edge(START, n.name) for n in nodes], output=majority())


@register("contract_topology.wrong")
@dataclass(frozen=True)
class Wrong:
    """Says 7 whatever it hears."""

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return Reply("7", "7")


def stubborn(agents: Sequence[Agent]) -> Team:
    return Team("stubborn", [Node(agents[0].name, agents[0]), Node("seven", Wrong())],
                [Edge(START, agents[0].name), Edge(agents[0].name, "seven")], output=last("seven"))  # fmt: skip


def guessing(agents: Sequence[Agent]) -> Team:
    return Team("guessing", [Node(agents[0].name, agents[0]), Node("seven", Wrong())],
                [Edge(START, agents[0].name), Edge(START, "seven")], output=last(agents[0].name))  # fmt: skip


def brittle(agents: Sequence[Agent]) -> Team:
    return crowd(agents, MaxRounds(1), on_error="fail")


def unsaved(agents: Sequence[Agent]) -> Team:
    return crowd(agents, MaxRounds(1), when=lambda inbox: True)


class Blank(Team):
    def to_mermaid(self):
        return "flowchart LR"


def undrawn(agents: Sequence[Agent]) -> Team:
    team = good(agents)
    return Blank(team.name, team.nodes, team.edges, team.stop, team.output)


@pytest.mark.parametrize(
    ("function", "broken"),
    [
        (stuck, "options without a default: share"),
        (untyped, "expected a Team, got list"),
        (undrawn, "its drawing lacks generator-1, generator-2, generator-3"),
        (wasteful, "sequential made 3 calls for 1"),
        (racing, "depends on the schedule|says something else"),
        (backdoor, "sequential made 3 calls for 2"),
        (stubborn, "all its agents answer 91, and it says '7'"),
        (guessing, "must abstain; it says '7'"),
        (brittle, "its nodes must abstain; it says None, error"),
    ],
)
def test_each_broken_promise_is_found(function, broken):
    with pytest.raises(AssertionError, match=broken):
        check_topology(beside(function, ROLES))


def test_a_team_that_cannot_be_saved_says_why():
    with pytest.raises(Exception, match="has no registered name"):
        check_topology(beside(unsaved, ROLES))


@pytest.mark.parametrize(
    ("roles", "broken"),
    [
        (None, "no ROLES beside it"),
        ({}, "ROLES and its slots differ in agents"),
        ({"agents": ("generator",), "judge": ("debater",)}, "ROLES and its slots differ in judge"),
        ({"agents": ("generator", "nobody")}, "ROLES names 'nobody', which is no role known here"),
    ],
)
def test_roles_must_fill_the_slots(roles, broken):
    with pytest.raises(AssertionError, match=f"good: {broken}"):
        check_topology(beside(good, roles))


ENGINE = sys.modules["orchestra.engine.run"]


def test_a_budget_that_nobody_keeps_is_found(monkeypatch):
    class Blind(Ledger):
        def hold(self, bound, role=""):
            """Lets everything through."""

        def fits(self, bound, role=""):
            return True

    monkeypatch.setattr(ENGINE, "Ledger", Blind)
    with pytest.raises(AssertionError, match=r"a budget of 1 calls, [23] made"):
        check_topology(beside(good, ROLES), seeds=1)


def test_a_resumption_that_asks_again_is_found(monkeypatch):
    def forgetful(journal):
        async def fetch(pairs, via):
            for call, draw in pairs:
                journal.put(Key(call.state, draw), None)
            return await perform(pairs, via)

        return fetch

    monkeypatch.setattr(ENGINE, "journaled", forgetful)
    with pytest.raises(AssertionError, match=r"resumed after 1 of [23] calls it made [23]"):
        check_topology(beside(good, ROLES), seeds=1)
