"""Debater: answers, then answers again having read what the others said (Du et al., arXiv 2305.14325).

Its own last reply is its memory, not a message from itself.
"""

from orchestra.team import Role, number, own_words

debater = Role(
    "debater",
    "{{ persona }}\n{{ prompt }}\n"
    "{% if memory %}You said: {{ memory }}\n{% endif %}"
    "{% for message in inbox %}Another says: {{ message.content }}\n{% endfor %}"
    "{% if inbox %}Using these as advice, give your updated answer.{% endif %}",
    answer=number,
    remember=own_words,
)
