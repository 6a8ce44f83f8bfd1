"""The tour's prompts: three for each role, fixed before anything is trained, chosen among on development items only.

`plain` asks, `form` also says what form the strict rule wants, `examples` shows solved turns before it asks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from orchestra.roles import generator, refiner, verifier
from orchestra.team import Role

PROMPTS: Final = ("plain", "form", "examples")
TEAM: Final = ("generator", "verifier", "refiner")

_SUMS: Final = (("What is 48 + 35?", "83", "73"), ("What is 21 + 16?", "37", "37"), ("What is 67 + 58?", "125", "125"))
"""Of the examples: question, answer, and what was proposed."""
_PROPOSED = "{{ prompt }}\nProposed: {{ inbox[0].answer or 'nothing' }}"
_JUDGED = "{{ prompt }}\nVerdict: {{ inbox[-1].content }}\nProposed: {{ inbox[0].answer or 'nothing' }}"
_FORM = ' Reply in the form "Answer: N".'
_SHORT: Final[dict[str, Any]] = {"max_tokens": 24, "stop": ("\n",), "temperature": 0.0}


def _roles() -> dict[str, dict[str, Role[Any]]]:
    plain = {role.name: replace(role, **_SHORT) for role in (generator, verifier, refiner)}
    form = {
        "generator": replace(plain["generator"], prompt="{{ prompt }}" + _FORM),
        "verifier": replace(plain["verifier"], prompt=_PROPOSED + "\nReply yes if that is right, no if it is wrong."),
        "refiner": replace(plain["refiner"], prompt=_JUDGED + "\n" + _FORM.strip()),
    }
    solved = [(asked, f"Answer: {right}") for asked, right, _ in _SUMS]
    judged = [(f"{asked}\nProposed: {given}", _verdict(right, given)) for asked, right, given in _SUMS]
    refined = [
        (f"{asked}\nVerdict: {_verdict(right, given)}\nProposed: {given}", f"Answer: {right}")
        for asked, right, given in _SUMS
    ]
    examples = {
        "generator": _shown(plain["generator"], "{{ prompt }}", solved),
        "verifier": _shown(plain["verifier"], _PROPOSED, judged),
        "refiner": _shown(plain["refiner"], _JUDGED, refined),
    }
    return {"plain": plain, "form": form, "examples": examples}


def _verdict(right: str, given: str) -> str:
    return "yes" if given == right else "no"


def _shown(role: Role[Any], prompt: str, examples: list[tuple[str, str]]) -> Role[Any]:
    return replace(role, system="You add numbers.", prompt=prompt, examples=tuple(examples))


ROLES: Final = _roles()
"""Prompt name -> role name -> Role, replies cut at 24 tokens or a newline, greedy."""
