"""Verifier: says whether the proposal before it is right (MALT, arXiv 2412.01928). It gives no answer of its own."""

from orchestra.team import Role, verdict

verifier = Role(
    "verifier", "{{ prompt }}\nProposed: {{ inbox[-1].content }}\nIs that right? Say yes or no.", output=verdict
)
