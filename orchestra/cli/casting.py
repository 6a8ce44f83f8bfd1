"""Who plays in a topology: its slots, the roles that fill them, and the agents that these become.

Agents of one role are numbered throughout a team, so that names differ; they share a policy that bears the role's name.
"""

from __future__ import annotations

import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from inspect import Parameter, Signature
from itertools import count
from typing import Any, NamedTuple, Union, get_args, get_origin

from orchestra.cli import shelf
from orchestra.cli.options import TeamOptions
from orchestra.errors import BadInput, UnknownName
from orchestra.models.model import Policy
from orchestra.team import Agent, AnswerOf, Role, Team


class Slot(NamedTuple):
    """A parameter of a topology that takes agents."""

    name: str
    many: bool
    needed: bool
    """Without a default of its own."""


class Cast(NamedTuple):
    """Who plays one part."""

    role: Role[Any]
    model: str
    """Name of the base model."""

    def policy(self, usual: str) -> str:
        """Its policy bears the role's name; one on another model than the usual is another policy."""
        return self.role.name if self.model == usual else f"{self.role.name}:{self.model}"


def slots_of(signature: Signature) -> Iterator[Slot]:
    """The parameters of a topology that are annotated as agents."""
    for parameter in signature.parameters.values():
        many = _is_agents(parameter.annotation)
        if many or _is_agent(parameter.annotation):
            many = many or parameter.kind is Parameter.VAR_POSITIONAL
            yield Slot(parameter.name, many, needed=parameter.default is Parameter.empty)


def _is_agent(annotation: Any) -> bool:
    """Agent, or a union with it."""
    union = get_origin(annotation) in (Union, types.UnionType)
    return annotation is Agent or (union and Agent in get_args(annotation))


def _is_agents(annotation: Any) -> bool:
    """A sequence of agents."""
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Sequence) and any(map(_is_agent, get_args(annotation)))


def casts_of(
    name: str,
    topology: Callable[..., Team],
    slots: Sequence[Slot],
    options: TeamOptions,
    own: Mapping[str, Role[Any]],
    answers: AnswerOf,
) -> dict[str, list[Cast]]:
    """Slot -> who plays in it: what --role says, or else what stands in the ROLES beside the topology.

    A slot that has neither, and can do without, is left out.
    """
    usual = getattr(sys.modules.get(getattr(topology, "__module__", "")), "ROLES", {})
    given = dict(_asked(text, options.model) for text in options.role)
    names = {slot.name for slot in slots}
    for asked in given:
        if asked not in names:
            raise UnknownName(f"slot of {name!r}", asked, names)
    many = [slot.name for slot in slots if slot.many]
    if options.agents is not None and len(many) != 1:
        raise BadInput(
            f"--agents needs a team with one slot for many agents, and {name!r} has {len(many)}; "
            "fix: --role SLOT=ROLE,ROLE"
        )
    casts = {}
    for slot in slots:
        default = [Cast(_role(role, own), options.model) for role in usual.get(slot.name, ())]
        number = options.agents if slot.many else None
        if (chosen := given.get(slot.name) or default) or slot.needed:
            casts[slot.name] = _number(name, slot, chosen, len(default), number)
    return {slot: [Cast(_adjusted(cast.role, options, answers), cast.model) for cast in casts[slot]] for slot in casts}


def _asked(text: str, model: str) -> tuple[str, list[Cast]]:
    """SLOT=ROLE[@MODEL],... read."""
    slot, equals, roles = text.partition("=")
    if not equals or not slot or not all(roles.split(",")):
        raise BadInput(f"--role {text!r}: expected SLOT=ROLE[@MODEL], such as agents=debater")
    parts = (part.partition("@") for part in roles.split(","))
    return slot, [Cast(shelf.role(role), own or model) for role, _, own in parts]


def _number(team: str, slot: Slot, casts: list[Cast], usual: int, asked: int | None) -> list[Cast]:
    """As many as the slot takes; one role alone stands for all of a slot for many."""
    where = f"slot {slot.name!r} of {team!r}"
    if not casts:
        raise BadInput(f"{where} has no role; fix: --role {slot.name}=ROLE, or ROLES beside the topology")
    if not slot.many and len(casts) > 1:
        raise BadInput(f"{where} takes one agent, got {len(casts)} roles; fix: --role {slot.name}=ROLE")
    if slot.many and casts.count(casts[0]) == len(casts):
        return casts[:1] * (asked or (max(1, usual) if len(casts) == 1 else len(casts)))
    if asked not in (None, len(casts)):
        roles = ", ".join(cast.role.name for cast in casts)
        raise BadInput(
            f"{where} has {len(casts)} different roles ({roles}), not {asked}; fix: --role {slot.name}=ROLE,..."
        )
    return casts


def _role(role: str | Role[Any], own: Mapping[str, Role[Any]]) -> Role[Any]:
    found = role if isinstance(role, Role) else shelf.role(role)
    return own.get(found.name, found)


def _adjusted(role: Role[Any], options: TeamOptions, answers: AnswerOf) -> Role[Any]:
    """A role with what the command line says of all roles, and for the answers that the tasks want."""
    return replace(
        role.answering(answers.kind, answers.choices),
        max_tokens=role.max_tokens if options.max_tokens is None else options.max_tokens,
        temperature=role.temperature if options.temperature is None else options.temperature,
        stop=tuple(text.replace("\\n", "\n") for text in options.stop) or role.stop,
    )


def agents_of(
    casts: Mapping[str, Sequence[Cast]], slots: Sequence[Slot], bound: Mapping[str, Policy], model: str
) -> dict[str, Any]:
    """Slot -> its agents; those of one role are numbered throughout the team."""
    times = Counter(cast.role.name for parts in casts.values() for cast in parts)
    number = {role: count(1) for role in times}

    def agent(cast: Cast) -> Agent:
        role = cast.role.name
        return cast.role(bound[cast.policy(model)], name=role if times[role] == 1 else f"{role}-{next(number[role])}")

    return {
        slot.name: tuple(map(agent, casts[slot.name])) if slot.many else agent(casts[slot.name][0])
        for slot in slots
        if slot.name in casts
    }
