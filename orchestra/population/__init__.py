"""Very many agents that decide by a table compiled from one small model."""

from orchestra.population.agreement import Agreement, agreement
from orchestra.population.compile import compile_in, compile_table
from orchestra.population.frontier import expert_decisions, occurring_keys, split
from orchestra.population.rules import always, expert, never, threshold
from orchestra.population.simulate import Outcome, simulate
from orchestra.population.table import DecisionTable

__all__ = [
    "Agreement",
    "DecisionTable",
    "Outcome",
    "agreement",
    "always",
    "compile_in",
    "compile_table",
    "expert",
    "expert_decisions",
    "never",
    "occurring_keys",
    "simulate",
    "split",
    "threshold",
]
