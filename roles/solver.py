"""Solver: answers the task, having read what it said before and what others tell it; the hand of most teams.

Whatever stands in its inbox is shown under its sender's name: a peer's answer, a report, a critique.
"""

from orchestra.team import Role, number, own_words

solver = Role(
    "solver",
    "{{ persona }}\n{{ prompt }}\n"
    "{% if memory %}You said: {{ memory }}\n{% endif %}"
    "{% for message in inbox if message.content %}{{ message.sender }}: {{ message.content }}\n{% endfor %}"
    "{% if memory or inbox | selectattr('content') | list %}Use this and give your answer.{% endif %}",
    answer=number,
    remember=own_words,
)
