"""The engine: a door, a graph, a loop. It knows no role and no model."""

from orchestra.engine.actor import Actor, Bounded
from orchestra.engine.branch import Aligned, Best, Branch, Chosen, Full
from orchestra.engine.budget import Budget
from orchestra.engine.context import Context, Notice, Schedule
from orchestra.engine.graph import START, Edge, Graph, Node
from orchestra.engine.history import History, Standing
from orchestra.engine.outputs import everything, last, majority
from orchestra.engine.purse import Purse
from orchestra.engine.question import Ask, Question, answer
from orchestra.engine.run import run
from orchestra.engine.stops import (
    Accepted,
    MaxRounds,
    Never,
    Quorum,
    Said,
    Signal,
    Spent,
    Spoken,
    Stop,
    Timeout,
    Unchanged,
)
from orchestra.engine.tree import grow

__all__ = [
    "START",
    "Accepted",
    "Actor",
    "Aligned",
    "Ask",
    "Best",
    "Bounded",
    "Branch",
    "Budget",
    "Chosen",
    "Context",
    "Edge",
    "Full",
    "Graph",
    "History",
    "MaxRounds",
    "Never",
    "Node",
    "Notice",
    "Purse",
    "Question",
    "Quorum",
    "Said",
    "Schedule",
    "Signal",
    "Spent",
    "Spoken",
    "Standing",
    "Stop",
    "Timeout",
    "Unchanged",
    "answer",
    "everything",
    "grow",
    "last",
    "majority",
    "run",
]
