"""Judge: gives the final answer, having read what all the others said at last (safety debates, arXiv 2505.22960)."""

from orchestra.team import Role, number

judge = Role(
    "judge",
    "{{ prompt }}\n"
    "{% for message in inbox %}{{ message.sender }} says: {{ message.content }}\n{% endfor %}"
    "You judge. Give the final answer.",
    answer=number,
    temperature=0.0,
)
