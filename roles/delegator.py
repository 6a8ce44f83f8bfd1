"""Delegator: asks experts by name what they know, and answers once it knows enough (the main agent of M-GRPO,
arXiv 2511.13288).

In its memory stand the experts, its questions with their replies, and how many questions are left.
"""

from orchestra.answers.reply import final, marked
from orchestra.team import Role, register


@register("marked_answer")
def marked_answer(said: str) -> str | None:
    """What follows the last "Answer:" or "the answer is"; a reply without one is a question.

    >>> marked_answer("He was born there.\\nAnswer: Rome"), marked_answer("ada: Where was Ann born?")
    ('Rome', None)
    """
    return next(marked(final(said)), None) or None


delegator = Role(
    "delegator",
    "{{ prompt }}\n{% if private %}You alone know: {{ private }}\n{% endif %}"
    "{% for message in inbox if message.content %}{{ message.sender }}: {{ message.content }}\n{% endfor %}"
    "{% if memory %}{% for asked in memory.exchanges %}"
    "You asked {{ asked.expert or 'nobody' }}: {{ asked.question }}\n"
    "{{ asked.expert + ' replied' if asked.expert else 'Note' }}: {{ asked.reply or 'nothing' }}\n"
    "{% endfor %}{% endif %}"
    "{% if memory and memory.left %}Write one line: NAME: and a question to one of {{ memory.experts | join(', ') }} "
    "(you may ask {{ memory.left }} more), or Answer: and the answer."
    "{% else %}Write Answer: and the answer.{% endif %}",
    answer=marked_answer,
)
