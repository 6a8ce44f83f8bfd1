"""What every topology promises, as one test that any author can run on theirs: `check_topology(my_topology)`."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from orchestra import roles as shelf
from orchestra.engine import Budget, Schedule, run
from orchestra.engine.graph import Graph
from orchestra.errors import CallFailed
from orchestra.models.scripted import Scripted
from orchestra.team import Role, Team
from orchestra.trajectory.journal import Failure, MemoryJournal
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Completion, Request, Task, Usage

Say = Callable[[Request], str]

TASK: Final = Task("contract", "What is 34 + 57?", gold="91", kind="number")
SCHEDULES: Final[tuple[Schedule, ...]] = ("sequential", "speculative")
PREFIXES: Final = 12
"""How many places a run is broken off at, and resumed from."""


def right(request: Request) -> str:
    """A reply that any role of the shelf reads as agreement and as the answer 91."""
    return "Yes. The answer is 91."


def wavering(request: Request) -> str:
    """A reply that depends on the draw: two verdicts, three answers."""
    return f"{'No' if request.seed % 5 == 0 else 'Yes'}. The answer is {90 + request.seed % 3}."


def check_topology(
    function: Callable[..., Team],
    *,
    roles: Mapping[str, Role[Any]] | None = None,
    right: Say = right,
    wavering: Say = wavering,
    seeds: int = 5,
) -> None:
    """Raises AssertionError with the first promise that a topology breaks.

    Promised are: `ROLES` beside it fills its slots, and its options have defaults. Saved and loaded it has the same
    digest and says the same. Its drawing names every node. Whatever the schedule and the order of arrival there is one
    transcript, and `sequential` wastes nothing. A budget of n calls is never passed. A run broken off anywhere goes on
    without repeating a call. Where all models answer right, so does the team; where they fail, it abstains.

    `roles` holds what ROLES may name, by default the shelf; `right` and `wavering` are replies that its roles read.
    """
    team = assembled(function, Scripted(wavering), roles)
    _check_drawing(team)
    _check_saved(function, team, roles, wavering)
    for seed in range(seeds):
        _check_schedules(function, roles, wavering, seed)
    _check_budget(function, roles, wavering)
    _check_resume(function, roles, wavering)
    _check_answers(function, roles, right)


def assembled(function: Callable[..., Team], model: Scripted, roles: Mapping[str, Role[Any]] | None = None) -> Team:
    """The team that `ROLES` beside a topology describes, of agents of one model; several of a role are numbered."""
    name = getattr(function, "__name__", repr(function))
    slots = getattr(sys.modules.get(function.__module__), "ROLES", None)
    assert isinstance(slots, Mapping), f"{name}: no ROLES beside it, such as ROLES = {{'agents': ('debater',) * 4}}"
    parameters = inspect.signature(function).parameters.values()
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in slots]
    bare = [p.name for p in options if p.default is p.empty]
    assert not bare, f"{name}: options without a default: {', '.join(bare)}"
    taken = [p for p in parameters if p not in options]
    missing = {p.name for p in taken if p.default is p.empty and p.kind is not p.VAR_POSITIONAL} - set(slots)
    unknown = set(slots) - {p.name for p in taken}
    assert not missing | unknown, f"{name}: ROLES and its slots differ in {', '.join(sorted(missing | unknown))}"
    positional, named = list[Any](), dict[str, Any]()
    for parameter in (p for p in taken if p.name in slots):
        agents = _agents(name, slots[parameter.name], model, roles)
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += agents
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = agents if _many(parameter) else agents[0]
        else:
            positional.append(agents if _many(parameter) else agents[0])
    team = function(*positional, **named)
    assert isinstance(team, Team), f"{name}: expected a Team, got {type(team).__name__}"
    return team


def _agents(name: str, wanted: tuple[str, ...], model: Scripted, roles: Mapping[str, Role[Any]] | None) -> list[Any]:
    known = vars(shelf) if roles is None else roles
    strange = [role for role in wanted if not isinstance(known.get(role), Role)]
    assert not strange, f"{name}: ROLES names {', '.join(map(repr, strange))}, which is no role known here"
    numbered = [
        f"{role}-{wanted[:i].count(role) + 1}" if wanted.count(role) > 1 else role for i, role in enumerate(wanted)
    ]
    return [known[role](model, name=agent) for role, agent in zip(wanted, numbered, strict=True)]


def _many(parameter: inspect.Parameter) -> bool:
    return "Sequence" in str(parameter.annotation)


def _check_drawing(team: Team) -> None:
    text = team.to_mermaid()
    lost = [name for name in _names(team) if name.replace(">", "&gt;") not in text]
    assert not lost, f"{team.name}: its drawing lacks {', '.join(lost)}"


def _names(graph: Graph) -> list[str]:
    inner = [name for node in graph.nodes if isinstance(node.actor, Graph) for name in _names(node.actor)]
    return [node.name for node in graph.nodes] + inner


def _check_saved(function: Callable[..., Team], team: Team, roles: Mapping[str, Role[Any]] | None, say: Say) -> None:
    again = Team.load(team.save(), Scripted(say))
    assert again.digest == team.digest, f"{team.name}: saved and loaded it has another digest"
    assert _told(again, 1) == _told(assembled(function, Scripted(say), roles), 1), (
        f"{team.name}: saved and loaded it says something else; a node holds what its fields do not"
    )


def _check_schedules(function: Callable[..., Team], roles: Mapping[str, Role[Any]] | None, say: Say, seed: int) -> None:
    model = Scripted(say)
    plain = _run(assembled(function, model, roles), seed)
    assert plain.error is None, f"{plain.id}: the run failed: {plain.error}"
    for schedule in SCHEDULES:
        for delays in (None, seed, seed + 1):
            model = Scripted(say, delay=None if delays is None else _delay(delays))
            team = assembled(function, model, roles)
            result = _run(team, seed, schedule=schedule)
            assert _transcript(result) == _transcript(plain), (
                f"{team.name}, seed {seed}, {schedule}, delays {delays}: the transcript depends on the schedule"
            )
            if schedule == "sequential":
                assert len(model.calls) == result.usage.calls, (
                    f"{team.name}, seed {seed}: sequential made {len(model.calls)} calls for {result.usage.calls}"
                )
                assert result.waste == Usage(), f"{team.name}, seed {seed}: sequential wasted {result.waste}"


def _check_budget(function: Callable[..., Team], roles: Mapping[str, Role[Any]] | None, say: Say) -> None:
    whole = _run(assembled(function, Scripted(say), roles), 0)
    for calls in range(1, whole.usage.calls + 1):
        for schedule in SCHEDULES:
            model = Scripted(say)
            team = assembled(function, model, roles)
            result = _run(team, 0, schedule=schedule, budget=Budget(calls=calls))
            assert len(model.calls) <= calls, f"{team.name}: a budget of {calls} calls, {len(model.calls)} made"
            assert result.error is None, f"{team.name}: a budget of {calls} calls failed it: {result.error}"
    assert _transcript(result) == _transcript(whole), f"{team.name}: a budget that suffices changed its transcript"


def _check_resume(function: Callable[..., Team], roles: Mapping[str, Role[Any]] | None, say: Say) -> None:
    journal = MemoryJournal()
    whole = _run(assembled(function, Scripted(say), roles), 0, journal=journal)
    entries = list(journal.entries.items())
    for kept in sorted({round(i * len(entries) / PREFIXES) for i in range(PREFIXES + 1)}):
        part, model = MemoryJournal(), Scripted(say)
        part.entries = dict(entries[:kept])
        team = assembled(function, model, roles)
        again = _run(team, 0, journal=part)
        assert again == whole, f"{team.name}: resumed after {kept} calls it went on otherwise"
        outcomes = [getattr(entry, "outcome", None) for _, entry in entries[kept:]]
        tools = sum(not isinstance(outcome, (Completion, Failure, type(None))) for outcome in outcomes)
        assert len(model.calls) == len(entries) - kept - tools, (
            f"{team.name}: resumed after {kept} of {len(entries)} calls it made {len(model.calls)}"
        )


def _check_answers(function: Callable[..., Team], roles: Mapping[str, Role[Any]] | None, right: Say) -> None:
    team = assembled(function, Scripted(right), roles)
    answer = _run(team, 0).answer
    assert answer == TASK.gold, f"{team.name}: all its agents answer {TASK.gold}, and it says {answer!r}"
    for failure in (CallFailed("the model is gone"), RuntimeError("the model broke")):
        result = _run(assembled(function, _broken(failure), roles), 0)
        said = f"it says {result.answer!r}, error {result.error!r}"
        assert result.answer is None, f"{team.name}: its models fail, so it must abstain; {said}"
        assert result.stopped_by != "error", f"{team.name}: its models fail, so its nodes must abstain; {said}"
        assert result.error, f"{team.name}: its models fail, and the run must say so; {said}"


def _run(team: Team, seed: int, **options: Any) -> Trajectory:
    return asyncio.run(run(team, TASK, seed=seed, **options))


def _told(team: Team, seed: int) -> str:
    return _transcript(_run(team, seed))


def _transcript(result: Trajectory) -> str:
    return repr((result.decisions, result.messages, result.leaves, result.events))


def _delay(seed: int) -> Callable[[Request], float]:
    noise = Random(seed)
    return lambda request: noise.choice((0.0, 0.0, 0.0005, 0.001))


def _broken(failure: Exception) -> Scripted:
    """A model that fails whatever it is asked; choices are scored, so in scoring too."""

    def fail(*asked: object) -> Any:
        raise failure

    return Scripted(fail, preference=fail)
