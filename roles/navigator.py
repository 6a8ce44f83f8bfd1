"""Navigator: talks to one who knows what it does not, by a list of the facts that it needs (iAgents, arXiv 2406.14928).

A fact that it needs stands in brackets; one that it was told stands on a line of its own as `fact: value`, or in a JSON
object. It sees its private line, which no other seat does.
"""

from __future__ import annotations

import json
import re

from orchestra.answers import extract
from orchestra.team import Role, register
from orchestra.team.actors.navigator import Move
from orchestra.types import FrozenMap

_MARKED = re.compile(r"\[([^\[\]\n]{1,80})\]")
_OBJECT = re.compile(r"\{[^{}]*\}")
_ANSWERS = re.compile(r"\banswer(?: is\b|\s?:)", re.IGNORECASE)
LONGEST = 400
"""Characters of a value."""


@register("move")
def move(said: str) -> Move:
    """What a turn marks, fills and answers; anything is a turn.

    >>> move("You are free at 9.\\nI still need [the day].").marked
    ('the day',)
    >>> dict(move('{"hour": "9"}').filled), move("- hour: 9\\nAnswer: 9").answer
    ({'hour': '9'}, '9')
    """
    marked = tuple(dict.fromkeys(name.strip() for name in _MARKED.findall(said) if name.strip()))
    answer = extract(said, "text") if _ANSWERS.search(said) else None
    return Move(said.strip(), marked, FrozenMap(_lines(said) | _objects(said)), answer)


def _lines(said: str) -> dict[str, str]:
    """What lines such as `fact: value` and `[fact] = value` fill."""
    found: dict[str, str] = {}
    for line in said.splitlines():
        name, _, value = line.partition(":" if ":" in line else "=")
        name, value = name.strip(" \t*-[]"), value.strip()
        if value and 0 < len(name) <= 80 and name[0] != "{" and name.casefold() != "answer":
            found[name] = value[:LONGEST]
    return found


def _objects(said: str) -> dict[str, str]:
    """What the JSON objects of a reply fill."""
    found: dict[str, str] = {}
    for text in _OBJECT.findall(said):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            continue
        found |= {name: str(value).strip()[:LONGEST] for name, value in values.items() if value is not None}
    return found


@register("move_answer")
def move_answer(move: Move) -> str | None:
    """The answer in it."""
    return move.answer


navigator = Role(
    "navigator",
    "{{ prompt }}\n{% if private %}You alone know: {{ private }}\n{% endif %}"
    "{% for fact in memory or [] if fact.value %}{{ fact.name }}: {{ fact.value }}\n{% endfor %}"
    "{% for message in inbox if message.content %}{{ message.sender }} says: {{ message.content }}\n{% endfor %}"
    "{% if (memory or []) | rejectattr('value') | list %}"
    "Still unknown:{% for fact in memory if not fact.value %} [{{ fact.name }}]{% endfor %}.\n"
    "If you were told one, write it as a line, name: value. Tell what helps, and ask for the next."
    "{% elif memory %}All is known. End with Answer: and the answer."
    "{% else %}Tell what helps, and put each fact that you need in brackets, such as [when Ann is free]. "
    "If you need none, end with Answer: and the answer.{% endif %}",
    output=move,
    answer=move_answer,
)
