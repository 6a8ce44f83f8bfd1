"""Generator: proposes an answer to the task, alone (MALT, arXiv 2412.01928; also the single agent of baselines)."""

from orchestra.team import Role, number
from orchestra.types import FrozenMap

generator = Role(
    "generator",
    "{{ prompt }}",
    answer=number,
    variants=FrozenMap(
        {
            "plain": "{{ prompt }}",
            "number": "{{ prompt }} Answer with the number only.",
            "examples": (
                "What is 21 + 16?\n21 + 16 = 37\n\nWhat is 48 + 35?\n48 + 35 = 83\n\n"
                "What is 67 + 58?\n67 + 58 = 125\n\n{{ prompt }}"
            ),
        }
    ),
)
