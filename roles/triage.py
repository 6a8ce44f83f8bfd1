"""Triage: says how hard a task is, by who should do it: one alone, a group, or several teams (MDAgents, 2404.15155).

Its choices are scored, so no reply can name a fourth; `not solo` is not a way to say solo.
"""

from orchestra.team import Role
from orchestra.team.role import text

triage = Role(
    "triage",
    "{{ prompt }}\nWho should solve this: solo if it is easy, group if opinions may differ, teams if it is hard?",
    answer=text,
    choices=("solo", "group", "teams"),
    max_tokens=4,
)
