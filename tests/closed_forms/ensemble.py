"""Three agents of different skill and one wrong answer a task: right if two or three of them are."""

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import START, Edge, Node, last
from orchestra.models.noisy import Answers, Noisy, solver
from orchestra.roles import debater
from orchestra.team import Agent, Team
from orchestra.topologies import ensemble
from tests.closed_forms import Row

A, B, C = SKILLS = (0.5, 0.6, 0.8)


def agents(answers: Answers) -> list[Agent]:
    return [debater(Noisy(answers, solver(p, follow=1.0)), name=f"p{p}") for p in SKILLS]


def team(answers: Answers) -> Team:
    return ensemble(agents(answers))


def expected() -> Figures:
    return Figures(Mean(A * B * C + A * B * (1 - C) + A * (1 - B) * C + (1 - A) * B * C), Mean(3), Mean(3 * 4))


def control(answers: Answers) -> Team:
    """In a row: whoever hears another repeats it, so all say what the first one says."""
    row = agents(answers)
    names = [agent.name for agent in row]
    edges = [Edge(START, names[0]), Edge(names[0], names[1]), Edge(names[1], names[2])]
    return Team("row", [Node(a.name, a) for a in row], edges, output=last(names[2]))


ROWS = (Row("ensemble", "p = 0.5, 0.6, 0.8", team, expected, control, wrong=1),)
