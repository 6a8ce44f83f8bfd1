"""Diagnostics of finished runs: pure functions over trajectories. A Survey alone asks a model, as any actor does."""

from orchestra.credit.speech import spoken
from orchestra.evaluation.diagnostics.aggregation import Aggregation, aggregation
from orchestra.evaluation.diagnostics.bias import Order, Recency, Together, order_effect, recency, together
from orchestra.evaluation.diagnostics.communication import Communication, communication, readings
from orchestra.evaluation.diagnostics.diversity import information_diversity, unnecessary_paths
from orchestra.evaluation.diagnostics.dynamics import Dynamics, dynamics
from orchestra.evaluation.diagnostics.influence import Influence, influence
from orchestra.evaluation.diagnostics.novelty import Novelty, novelty
from orchestra.evaluation.diagnostics.speech import outcome
from orchestra.evaluation.diagnostics.summary import summary
from orchestra.evaluation.diagnostics.survey import Bias, Survey

__all__ = [
    "Aggregation",
    "Bias",
    "Communication",
    "Dynamics",
    "Influence",
    "Novelty",
    "Order",
    "Recency",
    "Survey",
    "Together",
    "aggregation",
    "communication",
    "dynamics",
    "influence",
    "information_diversity",
    "novelty",
    "order_effect",
    "outcome",
    "readings",
    "recency",
    "spoken",
    "summary",
    "together",
    "unnecessary_paths",
]
