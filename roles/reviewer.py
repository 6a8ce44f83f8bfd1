"""Reviewer: ends its word on a proposal with [Agree] or [Disagree], as critics do in MAS-TTS (arXiv 2504.09772).

The last tag counts; a reply without one is read as a verifier's yes or no. Its answer is its consent, so that a quorum
of reviewers is a consensus; one that disagrees abstains.
"""

from __future__ import annotations

import re

from orchestra.team import Role, Verdict, register, verdict

_TAG = re.compile(r"\[(dis)?agree\]", re.IGNORECASE)


@register("stance")
def stance(said: str) -> Verdict:
    """Whether the reviewer agrees; Unparseable where nothing says so.

    >>> stance("[Agree]? No: 34 + 57 is not 92. [Disagree]").right, stance("Yes, it is 91.").right
    (False, True)
    """
    tags = _TAG.findall(said)
    return Verdict(not tags[-1], said.strip()) if tags else verdict(said)


@register("consent")
def consent(stance: Verdict) -> str | None:
    """`agree`, or nothing.

    >>> consent(Verdict(True, "[Agree]")), consent(Verdict(False, "[Disagree]"))
    ('agree', None)
    """
    return "agree" if stance.right else None


reviewer = Role(
    "reviewer",
    "{{ prompt }}\n{% for message in inbox[:-1] %}{{ message.content }}\n{% endfor %}"
    "Proposed: {{ inbox[-1].content }}\nIs that right? Say why, and end with [Agree] or [Disagree].",
    output=stance,
    answer=consent,
)
