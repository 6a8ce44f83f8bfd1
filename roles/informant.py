"""Informant: tells what it alone knows of what it is asked, and gives no answer (the third party of iAgents,
arXiv 2406.14928)."""

from orchestra.team import Role

informant: Role[str] = Role(
    "informant",
    "{{ prompt }}\n{% if private %}You alone know: {{ private }}\n{% endif %}"
    "{% for message in inbox %}{{ message.sender }} asks: {{ message.content }}\n{% endfor %}"
    "Tell what you know of that, and nothing else.",
    max_tokens=96,
)
