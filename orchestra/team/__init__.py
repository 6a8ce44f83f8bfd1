"""Roles, agents and teams."""

from orchestra.team.actors.capped import Capped
from orchestra.team.actors.controller import Controller
from orchestra.team.actors.fallback import Fallback
from orchestra.team.actors.mapping import Map
from orchestra.team.actors.person import Person
from orchestra.team.actors.plan import Plan, PlanForm, PlanStep, plan_answer
from orchestra.team.actors.planner import Planner
from orchestra.team.actors.retry import Retry
from orchestra.team.actors.timed import Timed
from orchestra.team.actors.told import Told
from orchestra.team.carry import AnswerOnly, Truncated, When
from orchestra.team.forms import AnswerOf, Verdict, number, own_words, verdict
from orchestra.team.registry import register
from orchestra.team.role import Agent, Role
from orchestra.team.selection import Route, Selection, Switch, TopK
from orchestra.team.team import Team

__all__ = [
    "Agent",
    "AnswerOf",
    "AnswerOnly",
    "Capped",
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
    "number",
    "own_words",
    "plan_answer",
    "register",
    "verdict",
]
