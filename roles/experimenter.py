"""Experimenter: says whether a claim holds in a test (Baby-AIGS, arXiv 2411.11910)."""

from orchestra.team import Role, verdict

experimenter = Role(
    "experimenter",
    "{{ prompt }}\n{% for message in inbox if message.content %}Test: {{ message.content }}\n{% endfor %}"
    "Does the claim hold? Say yes or no, then in one sentence what you found.",
    output=verdict,
    max_tokens=96,
)
