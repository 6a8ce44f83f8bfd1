"""Proposer: makes a claim, and another one where a test has refuted it (Baby-AIGS, arXiv 2411.11910)."""

from orchestra.team import Role, number, own_words

proposer = Role(
    "proposer",
    "{{ prompt }}\n{% if memory %}You claimed: {{ memory }}\n{% endif %}"
    "{% for message in inbox if message.content %}It was refuted: {{ message.content }}\n{% endfor %}"
    "State {{ 'another' if memory else 'your' }} answer and, in one sentence, why it must be so.",
    answer=number,
    remember=own_words,
)
