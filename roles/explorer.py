"""Explorer: takes one step towards the answer, knowing the task and the shared facts alone (Sibyl, arXiv 2407.10718).

It has no memory: all that an earlier step leaves is what the scribe wrote down of it.
"""

from orchestra.team import Role, number

explorer = Role(
    "explorer",
    "{{ prompt }}\n{% if inbox %}Known so far:\n{{ inbox[-1].content }}\n{% endif %}Take the next step.",
    answer=number,
)
