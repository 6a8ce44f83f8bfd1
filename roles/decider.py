"""Decider: gives the final answer, having read every report of the teams before it (MDAgents, arXiv 2404.15155)."""

from orchestra.team import Role, number

decider = Role(
    "decider",
    "{{ prompt }}\n{% for message in inbox %}Report of {{ message.sender }}: {{ message.content }}\n{% endfor %}"
    "Weigh the reports and give the final answer.",
    answer=number,
)
