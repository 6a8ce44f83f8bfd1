"""Reviser: proposes an answer, then improves it by what was said of it (Self-Refine, arXiv 2303.17651)."""

from orchestra.team import Role, number

reviser = Role(
    "reviser",
    "{{ prompt }}\n"
    "{% if inbox %}You said: {{ inbox[0].content }}\n"
    "{% for message in inbox[1:] %}A critic says: {{ message.content }}\n{% endfor %}"
    "Check it, and give your final answer.{% endif %}",
    answer=number,
)
