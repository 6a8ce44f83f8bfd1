"""Credit rules, one a file: rewards of leaves in, annotations of decisions out.

shared            what the team earned                          nested_mean       MALT's backup
leaf_mean         Optima's backup                               soft              between mean and best
group_relative    against siblings of the same state            verdict           a verifier's own correctness
moving_baseline   against the role's own past                   agent_chain       step by step along a path
peer_importance   shared out by the peers' ratings

Beside the rules: per_agent brings advantages to one scale, masses say how much of a rollout each decision is.
"""

from orchestra.credit.agent_chain import agent_chain
from orchestra.credit.components import total, with_components
from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.group_relative import group_relative
from orchestra.credit.importance import peer_importance
from orchestra.credit.labels import confident, label
from orchestra.credit.leaf_mean import leaf_mean
from orchestra.credit.mass import leaf_masses, masses, per_call
from orchestra.credit.moving_baseline import Baselines, moving_baseline
from orchestra.credit.nested_mean import nested_mean
from orchestra.credit.per_agent import per_agent
from orchestra.credit.readability import readability
from orchestra.credit.shared import shared
from orchestra.credit.soft import soft
from orchestra.credit.verdict import verdict

__all__ = [
    "Annotation",
    "Baselines",
    "Credit",
    "Scored",
    "Table",
    "agent_chain",
    "confident",
    "group_relative",
    "label",
    "leaf_masses",
    "leaf_mean",
    "masses",
    "moving_baseline",
    "nested_mean",
    "peer_importance",
    "per_agent",
    "per_call",
    "readability",
    "shared",
    "soft",
    "total",
    "verdict",
    "with_components",
]
