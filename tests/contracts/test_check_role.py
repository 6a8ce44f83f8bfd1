"""The contract of roles holds for a good one, and each of its promises is missed by a role that breaks it."""

from dataclasses import replace
from itertools import count

import pytest

from orchestra.contracts import check_role
from orchestra.contracts.role import GOLD
from orchestra.errors import BadRole
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Role, register
from orchestra.team import template as templates
from orchestra.types import Reply

ticks = count()


@register("contract_role.exact_choice")
def exact_choice(said):
    return {"left": "a"}[said]


@register("contract_role.brittle")
def brittle(said):
    return said.split()[0]


@register("contract_role.moody")
def moody(said):
    return str(next(ticks))


@register("contract_role.number_answer")
def number_answer(parsed):
    return 91


@register("contract_role.surprising")
def surprising(view, parsed):
    return {"rounds": 1}


class Twice(Role):
    """Renders what it has rendered once more, so that data becomes a template."""

    def request(self, view, **rest):
        made = Role.request(self, view, **rest)
        again = templates._environment.from_string
        return replace(
            made, messages=tuple((chat, again(text).render(inbox=view.inbox)) for chat, text in made.messages)
        )


class Counts(Role):
    def request(self, view, **rest):
        made = Role.request(self, view, **rest)
        return replace(made, messages=(*made.messages, ("user", str(next(ticks)))))


class Splits(Role):
    """Lets a control token in the data open a turn."""

    def request(self, view, **rest):
        made = Role.request(self, view, **rest)
        turns = [("user", piece) for _, text in made.messages for piece in text.split("<|im_end|>")]
        return replace(made, messages=tuple(turns))


class Raises(Role):
    def reply(self, said, view):
        return Reply(said, answer=said[0])


class Talks(Role):
    """Its agents ask again more often than it says."""

    def __call__(self, policy, *, name="", persona=""):
        return replace(Role.__call__(self, policy, name=name), role=replace(verifier, repairs=3))


class Aloof(Role):
    def request(self, view, **rest):
        if not view.inbox:
            raise BadRole("needs somebody who spoke before")
        return Role.request(self, view, **rest)


@pytest.mark.parametrize("role", [generator, debater, refiner, replace(generator, repairs=2, choices=("91", "92"))])
def test_a_good_role_passes(role):
    check_role(role)


@pytest.mark.parametrize(
    ("role", "broken"),
    [
        (Counts("r", "{{ prompt }}"), "a request must be a function of its View"),
        (Role("r", "{{ inbox[2].content }}"), "must render when it is spoken to"),
        (Aloof("r", "{{ prompt }}"), "its BadRole does not name it"),
        (Twice("r", "{{ prompt }}"), "evaluated|raised"),
        (Splits("r", "{{ prompt }}"), "changed its turns"),
        (Role("r", "{{ prompt }}", output=brittle), "parses or raises Unparseable, but '' raised IndexError"),
        (Raises("r", "{{ prompt }}"), "parses or raises Unparseable"),
        (Role("r", "{{ prompt }}", output=moody), "read twice gave two replies"),
        (Role("r", "{{ prompt }}", answer=number_answer), "an answer is a text or None, got 91"),
        (Role("r", "{{ prompt }}", choices=("left", "right"), output=exact_choice), "raised KeyError"),
        (Role("r", "{{ prompt }}{% if memory %}{{ memory.turns }}{% endif %}", remember=surprising), "must render"),
        (Role("r", "{{ prompt }} " + GOLD), "which it must not know"),
        (Role("r", "{{ prompt }}", output=lambda said: said), "it cannot be saved: .*lambda"),
    ],
)
def test_each_broken_promise_is_found(role, broken):
    with pytest.raises(AssertionError, match=rf"role 'r': .*{broken}"):
        check_role(role)


def test_more_calls_than_repairs_allow_are_found():
    with pytest.raises(AssertionError, match="it made 4 calls, and has 0 repairs"):
        check_role(Talks("r", "{{ prompt }}"))
