"""Reporter: gives the final answer, having read what was analysed and computed (MM-Agent, arXiv 2505.14148)."""

from orchestra.team import Role, number

reporter = Role(
    "reporter",
    "{{ prompt }}\n"
    "{% for message in inbox if message.content %}{{ message.sender }}: {{ message.content }}\n{% endfor %}"
    "Report what follows from this in one sentence, and end with Answer: and the number.",
    answer=number,
)
