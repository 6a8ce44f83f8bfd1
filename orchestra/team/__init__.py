"""Roles, agents and teams."""

from orchestra.team.forms import Verdict, number, own_words, verdict
from orchestra.team.registry import register
from orchestra.team.role import Agent, Role
from orchestra.team.selection import Route, Selection, Switch, TopK
from orchestra.team.team import Team

__all__ = [
    "Agent",
    "Role",
    "Route",
    "Selection",
    "Switch",
    "Team",
    "TopK",
    "Verdict",
    "number",
    "own_words",
    "register",
    "verdict",
]
