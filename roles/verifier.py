"""Verifier: says whether the proposal before it is right (MALT, arXiv 2412.01928). It gives no answer of its own."""

from orchestra.team import Role, verdict
from orchestra.team.role import silent
from orchestra.types import FrozenMap

verifier = Role(
    "verifier",
    "{{ prompt }}\nProposed: {{ inbox[-1].content }}\nIs that right? Say yes or no.",
    output=verdict,
    answer=silent,
    variants=FrozenMap(
        {
            "plain": "{{ prompt }}\nProposed: {{ inbox[-1].content }}\nIs that right? Say yes or no.",
            "number": "{{ prompt }}\nAnswer: {{ inbox[-1].content }}\nCheck the answer. Reply yes if it is right, no if it is wrong.",
            "examples": (
                "What is 21 + 16?\nProposed: 37\nVerdict: yes\n\nWhat is 48 + 35?\nProposed: 73\nVerdict: no\n\n"
                "{{ prompt }}\nProposed: {{ inbox[-1].content }}\nVerdict:"
            ),
        }
    ),
)
