"""Roles, agents and teams."""

from orchestra.team.carry import AnswerOnly, Truncated, When
from orchestra.team.controller import Controller
from orchestra.team.fallback import Fallback, fallback
from orchestra.team.forms import Verdict, number, own_words, verdict
from orchestra.team.mapping import Map
from orchestra.team.person import Person
from orchestra.team.plan import Plan, PlanForm, PlanStep, plan_answer
from orchestra.team.planner import Planner
from orchestra.team.registry import register
from orchestra.team.retry import Retry, retry
from orchestra.team.role import Agent, Role
from orchestra.team.selection import Route, Selection, Switch, TopK
from orchestra.team.team import Team
from orchestra.team.timed import Timed, timed
from orchestra.team.told import Told, told

__all__ = [
    "Agent",
    "AnswerOnly",
    "Controller",
    "Fallback",
    "Map",
    "Person",
    "Plan",
    "PlanForm",
    "PlanStep",
    "Planner",
    "Retry",
    "Role",
    "Route",
    "Selection",
    "Switch",
    "Team",
    "Timed",
    "Told",
    "TopK",
    "Truncated",
    "Verdict",
    "When",
    "fallback",
    "number",
    "own_words",
    "plan_answer",
    "register",
    "retry",
    "timed",
    "told",
    "verdict",
]
