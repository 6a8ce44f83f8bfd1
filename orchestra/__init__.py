"""Teams of language-model agents as graphs: run them, measure them, train them, let them power populations."""

from orchestra.engine import Branch, Budget, Full, MaxRounds, Never, Quorum, Said, Stop, everything, last, majority
from orchestra.models.model import Model, Policy
from orchestra.models.names import load_model
from orchestra.team import Agent, Role, Team, register
from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Message, Reply, Task, Usage, View

__all__ = [
    "Agent",
    "Branch",
    "Budget",
    "Decision",
    "Full",
    "Leaf",
    "MaxRounds",
    "Message",
    "Model",
    "Never",
    "Policy",
    "Quorum",
    "Reply",
    "Role",
    "Said",
    "Stop",
    "Task",
    "Team",
    "Trajectory",
    "Usage",
    "View",
    "everything",
    "last",
    "load_model",
    "majority",
    "register",
]
