"""Generator: proposes an answer to the task, alone (MALT, arXiv 2412.01928; also the single agent of baselines)."""

from orchestra.team import Role, number

generator = Role("generator", "{{ prompt }}", answer=number)
