"""Falsifier: names an ablation under which a claim would fall if it were wrong (Baby-AIGS, arXiv 2411.11910).

It has no say in whether the claim does: an experimenter tests it.
"""

from orchestra.team import Role, own_words

falsifier: Role[str] = Role(
    "falsifier",
    "{{ prompt }}\n{% if memory %}You tried: {{ memory }}\n{% endif %}"
    "{% for message in inbox if message.content %}Found so far: {{ message.content }}\n{% endfor %}"
    "Which one thing, left out or changed, would show that the claim is wrong? Name it in one sentence.",
    remember=own_words,
    max_tokens=64,
)
