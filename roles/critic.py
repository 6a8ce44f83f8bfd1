"""Critic: says what is wrong with the proposal before it; it gives no answer (Self-Refine, arXiv 2303.17651)."""

from orchestra.team import Role

critic: Role[str] = Role(
    "critic",
    "{{ prompt }}\nProposed: {{ inbox[-1].content }}\nWhat is wrong with it? Reply in one sentence.",
    max_tokens=64,
)
