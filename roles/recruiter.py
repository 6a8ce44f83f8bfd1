"""Recruiter: describes the experts that a task needs, one a line (MAS-TTS, arXiv 2504.09772)."""

from __future__ import annotations

import re

from orchestra.errors import Unparseable
from orchestra.team import Role, register

_MARK = re.compile(r"^(?:[-*\u2022]+|\(?\d+[.):])\s*")


@register("listed")
def listed(said: str) -> tuple[str, ...]:
    """The lines of a reply without blanks, bullets and numbers; Unparseable where none is left.

    >>> listed("1. a chemist\\n\\n- a 2nd chemist")
    ('a chemist', 'a 2nd chemist')
    """
    found = tuple(text for line in said.splitlines() if (text := _MARK.sub("", line.strip()).strip()))
    if not found:
        raise Unparseable(f"expected a list, one item a line, got {said[:80]!r}")
    return found


recruiter = Role(
    "recruiter",
    "{{ prompt }}\n{% for message in inbox %}{{ message.content }}\n{% endfor %}"
    "Which experts does this need? One a line, each in a few words.",
    output=listed,
    max_tokens=96,
)
