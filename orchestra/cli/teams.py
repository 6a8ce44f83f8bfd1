"""From the words of a command line to a Team: a topology with its slots filled, or a team that was saved.

Everything about a team that can be wrong is found while it is planned, on a model that never speaks; weights are
loaded afterwards, and a topology meets the same agents then.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from orchestra.cli import shelf
from orchestra.cli.casting import Slot, agents_of, casts_of, slots_of
from orchestra.cli.options import TeamOptions
from orchestra.errors import BadInput, UnknownName
from orchestra.models import names
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.team import AnswerOf, Role, Team
from orchestra.team.saving.changes import Changes, policies_of, read
from orchestra.team.saving.patch import patch

NUMBERS = AnswerOf("number")
SAVED = (".json", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Plan:
    """A team without weights."""

    name: str
    """As it was asked for."""
    models: Mapping[str, str]
    """Policy -> name of its base model."""
    make: Callable[[Mapping[str, Policy]], Team]
    """Makes the team of its policies, by name."""

    def sketch(self) -> Team:
        """The team on a model that never speaks."""
        mute = Scripted(())
        return self.make({policy: Policy(policy, mute) for policy in self.models})


def plan(
    team: str, options: TeamOptions, *, own: Mapping[str, Role[Any]] | None = None, answers: AnswerOf = NUMBERS
) -> Plan:
    """The plan of TEAM. A role in `own` stands for that of its name; all roles give `answers`, but for those of a
    finished team. Raises BadInput for whatever cannot be done.
    """
    for file in options.imports:
        shelf.execute(file)
    if Path(team).suffix in SAVED:
        made = _saved(Path(team), options)
    else:
        found = shelf.topology(team)
        made = (
            _ready(team, found, options)
            if isinstance(found, Team)
            else _filled(team, found, options, own or {}, answers)
        )
    for file in options.patch:
        made = _patched(made, read(file), options.model)
    for model in made.models.values():
        names.parse(model)
    made.sketch()
    return made


def _saved(path: Path, options: TeamOptions) -> Plan:
    _refuse(str(path), options, allowed=("model", "adapters", "policy", "cache", "record"))
    sketch = Team.load(path, Scripted(()))
    policies = {agent.policy.name: options.model for agent in sketch.agents()}
    return Plan(str(path), policies, lambda bound: Team.load(path, bound))


def _ready(name: str, team: Team, options: TeamOptions) -> Plan:
    _refuse(name, options, allowed=())
    return Plan(name, {}, lambda bound: team)


def _patched(plan: Plan, changes: Changes, model: str) -> Plan:
    """The plan with a patch; policies that it brings in are of the usual model."""
    own = {agent.policy.name for agent in plan.sketch().agents()}
    new = {name: model for name in sorted(policies_of(changes)) if name not in own}
    return Plan(plan.name, {**plan.models, **new}, lambda bound: patch(plan.make(bound), changes, bound))


def _refuse(team: str, options: TeamOptions, allowed: Sequence[str]) -> None:
    usual, allowed = TeamOptions(), (*allowed, "imports", "patch")
    changed = [f.name for f in fields(options) if getattr(options, f.name) != getattr(usual, f.name)]
    if refused := [f"--{name.replace('_', '-')}" for name in changed if name not in allowed]:
        raise BadInput(f"{team} is a finished team, which {', '.join(refused)} cannot change; fix: leave that out")


def _filled(
    name: str, topology: Callable[..., Team], options: TeamOptions, own: Mapping[str, Role[Any]], answers: AnswerOf
) -> Plan:
    signature = _signature(name, topology)
    slots = list(slots_of(signature))
    casts = casts_of(name, topology, slots, options, own, answers)
    chosen = _chosen(name, signature, slots, options.option)
    models = {cast.policy(options.model): cast.model for parts in casts.values() for cast in parts}

    def make(bound: Mapping[str, Policy]) -> Team:
        call = signature.bind_partial()
        call.arguments.update(agents_of(casts, slots, bound, options.model) | chosen)
        try:
            team = topology(*call.args, **call.kwargs)
        except (BadInput, TypeError, ValueError) as error:
            file = Path(name.partition(":")[0])
            if isinstance(error, BadInput) and file.suffix != ".py":
                raise
            where = shelf.place(file, error) if file.suffix == ".py" else f"team {name!r}"
            raise BadInput(f"{where} cannot be made: {type(error).__name__}: {error}; fix: that line") from error
        if not isinstance(team, Team):
            raise BadInput(f"topology {name!r} gave a {type(team).__name__}; expected a Team")
        return team

    return Plan(name, models, make)


def _signature(name: str, topology: Callable[..., Team]) -> Signature:
    try:
        return inspect.signature(topology, eval_str=True)
    except (NameError, TypeError, ValueError) as error:
        raise BadInput(f"topology {name!r}: its parameters cannot be read ({error}); fix: annotate them") from error


def _chosen(name: str, signature: Signature, slots: Sequence[Slot], given: Sequence[str]) -> dict[str, Any]:
    """The -o options, each read by the annotation of a keyword-only parameter."""
    known = {
        p.name: p.annotation
        for p in signature.parameters.values()
        if p.kind is Parameter.KEYWORD_ONLY and p.name not in {slot.name for slot in slots}
    }
    chosen = {}
    for text in given:
        option, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"-o {text!r}: expected NAME=VALUE, such as rounds=2")
        if option not in known:
            raise UnknownName(f"option of {name!r}", option, known)
        chosen[option] = _read(option, value, known[option])
    return chosen


def _read(option: str, value: str, annotation: Any) -> Any:
    try:
        return TypeAdapter(annotation).validate_strings(value)
    except ValidationError as error:
        raise BadInput(f"-o {option}={value}: {error.errors()[0]['msg']}; fix: another value") from None
    except PydanticUserError:
        raise BadInput(
            f"-o {option}: a {annotation} cannot be written on a command line; fix: a topology in a file of yours"
        ) from None
