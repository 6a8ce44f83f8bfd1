"""The shelf of roles, one a file; each is a Role to be called with a policy or a model."""

from orchestra.roles.analyst import analyst
from orchestra.roles.chief import chief
from orchestra.roles.citizen import citizen
from orchestra.roles.critic import critic
from orchestra.roles.debater import debater
from orchestra.roles.decider import decider
from orchestra.roles.delegator import delegator
from orchestra.roles.evaluator import evaluator
from orchestra.roles.experimenter import experimenter
from orchestra.roles.explorer import explorer
from orchestra.roles.falsifier import falsifier
from orchestra.roles.generator import generator
from orchestra.roles.informant import informant
from orchestra.roles.judge import judge
from orchestra.roles.modeler import modeler
from orchestra.roles.moderator import moderator
from orchestra.roles.navigator import navigator
from orchestra.roles.peer import peer
from orchestra.roles.planner import planner
from orchestra.roles.proposer import proposer
from orchestra.roles.ranker import ranker
from orchestra.roles.recruiter import recruiter
from orchestra.roles.refiner import refiner
from orchestra.roles.reporter import reporter
from orchestra.roles.reviewer import reviewer
from orchestra.roles.reviser import reviser
from orchestra.roles.scribe import scribe
from orchestra.roles.solver import solver
from orchestra.roles.triage import triage
from orchestra.roles.verifier import verifier

__all__ = [
    "analyst",
    "chief",
    "citizen",
    "critic",
    "debater",
    "decider",
    "delegator",
    "evaluator",
    "experimenter",
    "explorer",
    "falsifier",
    "generator",
    "informant",
    "judge",
    "modeler",
    "moderator",
    "navigator",
    "peer",
    "planner",
    "proposer",
    "ranker",
    "recruiter",
    "refiner",
    "reporter",
    "reviewer",
    "reviser",
    "scribe",
    "solver",
    "triage",
    "verifier",
]
