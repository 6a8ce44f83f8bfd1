"""Evaluator: says whether a team's solution is right, and what to do better (MAS-TTS, arXiv 2504.09772)."""

from orchestra.team import Role, verdict

evaluator = Role(
    "evaluator",
    "{{ prompt }}\nSolution: {{ inbox[-1].content }}\n"
    "Is that correct? Say yes or no, then in one sentence what to do better.",
    output=verdict,
    max_tokens=96,
)
