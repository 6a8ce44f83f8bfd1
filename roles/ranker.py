"""Ranker: puts what it is shown in order, best first, by number (DyLAN's listwise ranker, arXiv 2310.02170)."""

from orchestra.team import Role
from orchestra.team.ranking import places

ranker = Role(
    "ranker",
    "{{ prompt }}\n"
    "{% for message in inbox %}{{ loop.index }}. {{ message.content }}\n{% endfor %}"
    "Which of these are best? Give their numbers, best first.",
    output=places,
    max_tokens=16,
    temperature=0.0,
)
