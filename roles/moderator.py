"""Moderator: reads what a group answered and says where it errs; gives no answer itself (MDAgents, 2404.15155)."""

from orchestra.team import Role

moderator: Role[str] = Role(
    "moderator",
    "{{ prompt }}\n{% for message in inbox %}{{ message.sender }}: {{ message.content }}\n{% endfor %}"
    "They do not agree. In one sentence, who is wrong and why?",
    max_tokens=96,
)
