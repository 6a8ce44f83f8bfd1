"""The tour's prompts: three for each role, fixed before anything is trained, chosen among on development items only.

`plain` asks, `number` also says what form the reply should have, `examples` shows two solved turns before it asks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from orchestra.roles import generator, refiner, verifier
from orchestra.team import Role

PROMPTS: Final = ("plain", "number", "examples")
TEAM: Final = ("generator", "verifier", "refiner")

_FIRST, _SECOND = "What is 21 + 16?", "What is 48 + 35?"
_PROPOSED = "{{ prompt }}\nProposed: {{ inbox[0].answer or 'nothing' }}"
_JUDGED = "Proposed: {{ inbox[0].answer or 'nothing' }}\nVerdict: {{ inbox[-1].content }}\n{{ prompt }}"
_SHORT: Final[dict[str, Any]] = {"max_tokens": 24, "stop": ("\n",), "temperature": 0.0}


def _roles() -> dict[str, dict[str, Role[Any]]]:
    plain = {role.name: replace(role, **_SHORT) for role in (generator, verifier, refiner)}
    numbered = {
        "generator": replace(plain["generator"], prompt="{{ prompt }} Reply with the number only."),
        "verifier": replace(plain["verifier"], prompt=_PROPOSED + "\nReply yes if that is right, no if it is wrong."),
        "refiner": replace(plain["refiner"], prompt=_JUDGED + " Reply with the number only."),
    }
    shown = {
        "generator": _shown(plain["generator"], "{{ prompt }}", (_FIRST, "Answer: 37"), (_SECOND, "Answer: 83")),
        "verifier": _shown(
            plain["verifier"], _PROPOSED, (f"{_FIRST}\nProposed: 37", "yes"), (f"{_SECOND}\nProposed: 73", "no")
        ),
        "refiner": _shown(
            plain["refiner"],
            _JUDGED,
            (f"Proposed: 37\nVerdict: yes\n{_FIRST}", "Answer: 37"),
            (f"Proposed: 73\nVerdict: no\n{_SECOND}", "Answer: 83"),
        ),
    }
    return {"plain": plain, "number": numbered, "examples": shown}


def _shown(role: Role[Any], prompt: str, *examples: tuple[str, str]) -> Role[Any]:
    return replace(role, system="You add numbers.", prompt=prompt, examples=examples)


ROLES: Final = _roles()
"""Prompt name -> role name -> Role, replies cut at 24 tokens or a newline, greedy."""
