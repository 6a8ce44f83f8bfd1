"""Refiner: gives the final answer, having read the proposal and the verdict on it (MALT, arXiv 2412.01928)."""

from orchestra.team import Role, number
from orchestra.types import FrozenMap

_SAID = "Proposed: {{ inbox[0].content }}\nVerdict: {{ inbox[-1].content }}\n"

refiner = Role(
    "refiner",
    "{{ prompt }}\n" + _SAID + "Give the final answer.",
    answer=number,
    variants=FrozenMap(
        {
            "plain": "{{ prompt }}\n" + _SAID + "Give the final answer.",
            "number": "{{ prompt }}\n" + _SAID + "Answer with the number only.",
            "examples": (
                "What is 21 + 16?\nProposed: 37\nVerdict: yes\nFinal: 37\n\n"
                "What is 48 + 35?\nProposed: 73\nVerdict: no\nFinal: 83\n\n{{ prompt }}\n" + _SAID + "Final:"
            ),
        }
    ),
)
