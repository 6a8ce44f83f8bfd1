"""Mathematical modeling: analyse, formulate, compute, report (MM-Agent, Liu et al., arXiv 2505.14148).

Protocol: an analyst says what is known and asked; a modeler, told that, writes a formula; a tool computes it. What the
tool cannot compute goes back to the modeler with the reason, up to `tries` formulas; then a reporter, who hears the
analysis and what was computed, answers. The tool is `algebra`, SymPy on a closed grammar, or `calculator`, exact
arithmetic; no code of a model is ever executed.

Differs from the paper: one formula in place of programs, no library of methods to retrieve from, no decomposition into
subtasks, no criticism of each stage. The computed number stands where the reporter gives none. Calls: analyst 1,
modeler 1 a try and as many repairs as its role has, reporter 1; the tool takes none.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from orchestra.engine import START, Edge, MaxRounds, Node, Said, last
from orchestra.engine.outputs import LastAnswer
from orchestra.errors import UnknownName
from orchestra.team import Agent, Team
from orchestra.team.actors.workspace import Informed
from orchestra.team.tools.algebra import algebra
from orchestra.team.tools.calculator import calculate
from orchestra.team.tools.tool import Tool

ROLES = {"analyst": ("analyst",), "modeler": ("modeler",), "reporter": ("reporter",)}

TOOLS: Final[Mapping[str, Callable[[str], str]]] = {"algebra": algebra, "calculator": calculate}


def modeling(
    analyst: Agent,
    modeler: Agent,
    reporter: Agent,
    *,
    tries: int = 2,
    tool: Literal["algebra", "calculator"] = "algebra",
) -> Team:
    """Three agents and a tool."""
    if tool not in TOOLS:
        raise UnknownName("tool of modeling", tool, TOOLS)
    solve = Team(
        "solve",
        [Node(modeler.name, modeler), Node("compute", Tool(TOOLS[tool]))],
        [Edge(START, modeler.name), Edge(modeler.name, "compute"), Edge("compute", modeler.name, "temporal")],
        Said(("compute",)) | MaxRounds(tries),
        last("compute"),
    )
    names = [analyst.name, "solve", reporter.name]
    return Team(
        "modeling",
        [Node(analyst.name, analyst), Node("solve", Informed(solve)), Node(reporter.name, reporter)],
        [Edge(START, names[0]), Edge(names[0], names[1]), Edge(names[0], names[2]), Edge(names[1], names[2])],
        output=LastAnswer(),
    )
