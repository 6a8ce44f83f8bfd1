"""Analyst: says what a problem gives and asks for, and solves nothing (MM-Agent, arXiv 2505.14148)."""

from orchestra.team import Role

analyst: Role[str] = Role(
    "analyst",
    "{{ prompt }}\nIn one or two sentences: what is known, what is asked, and how do they relate?",
    max_tokens=96,
)
