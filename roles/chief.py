"""Chief: sets a team's size, its tokens and its direction, or stops (the CEO of MAS-TTS, arXiv 2504.09772).

One prompt for three questions: `memory.of` says which. Size and tokens are choices that are scored; the direction is a
sentence.
"""

from orchestra.team import Role

chief: Role[str] = Role(
    "chief",
    "{{ prompt }}\n{% for message in inbox %}{{ message.sender }}: {{ message.content }}\n{% endfor %}"
    "{% if not memory or memory.of == 'size' %}"
    "How many experts shall work on this{% if round %}, or is it solved and we stop{% endif %}?"
    "{% elif memory.of == 'tokens' %}How many tokens may they spend, {{ memory.size }} in all?"
    "{% else %}In one sentence, what shall they do?{% endif %}",
    max_tokens=64,
)
