"""Refiner: gives the final answer, having read the proposal and the verdict on it (MALT, arXiv 2412.01928)."""

from orchestra.team import Role, number

refiner = Role(
    "refiner",
    "{{ prompt }}\nProposed: {{ inbox[0].content }}\nVerdict: {{ inbox[-1].content }}\nGive the final answer.",
    answer=number,
)
