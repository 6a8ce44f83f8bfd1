"""Scribe: writes down what a step has found and the shared facts lack, one fact a line (Sibyl, arXiv 2407.10718)."""

from orchestra.roles.recruiter import listed
from orchestra.team import Role

scribe = Role(
    "scribe",
    "{{ prompt }}\n{% for fact in memory or [] %}Known: {{ fact }}\n{% endfor %}"
    "New: {{ inbox[-1].content }}\nWrite only the new facts, one a line, or repeat a known one if there are none.",
    output=listed,
    max_tokens=96,
)
