"""One agent, right with probability p: that, one call, the two words of the prompt and the two of the answer."""

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import START, Edge, Node, last
from orchestra.models.noisy import Answers, Noisy, solver
from orchestra.roles import generator
from orchestra.team import Team
from orchestra.topologies import solo
from tests.closed_forms import Row

P = 0.6


def team(answers: Answers) -> Team:
    return solo(generator(Noisy(answers, solver(P))))


def expected() -> Figures:
    return Figures(Mean(P), Mean(1), Mean(4))


def control(answers: Answers) -> Team:
    """It is asked twice."""
    agent = generator(Noisy(answers, solver(P)))
    return Team("twice", [Node("a", agent), Node("b", agent)], [Edge(START, "a"), Edge("a", "b")], output=last("b"))


ROWS = (Row("solo", "p = 0.6", team, expected, control),)
