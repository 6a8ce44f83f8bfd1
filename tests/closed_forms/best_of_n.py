"""n samples and a judge: right if there is a right one and the judge sees it, or if its lot falls on a right one.

Words: a sample reads 2 and says 2. The judge reads 2, n times a number and 2, and "Which of these are best? Give their
numbers, best first."; it says n numbers.
"""

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import START, Edge, Node, last
from orchestra.models.noisy import Answers, Noisy, ranker, solver
from orchestra.roles import generator
from orchestra.roles import ranker as ranks
from orchestra.team import Agent, Team, TopK
from orchestra.team.actors.pick import Pick
from orchestra.topologies import best_of_n
from tests.closed_forms import Row

P, ACCURACY, N = 0.4, 0.8, 4


def agents(answers: Answers) -> tuple[Agent, Agent]:
    return generator(Noisy(answers, solver(P))), ranks(Noisy(answers, ranker(ACCURACY)))


def team(answers: Answers) -> Team:
    return best_of_n(*agents(answers), n=N)


def expected() -> Figures:
    accuracy = ACCURACY * (1 - (1 - P) ** N) + (1 - ACCURACY) * P
    return Figures(Mean(accuracy), Mean(N + 1), Mean(N * (2 + 2) + (2 + 3 * N + 10) + N))


def control(answers: Answers) -> Team:
    """The judge hears the first sample alone."""
    agent, judge = agents(answers)
    names = [f"n{i}" for i in range(N)]
    nodes = [*(Node(name, agent) for name in names), Node("judge", Pick(TopK(judge, 1)))]
    return Team("deaf", nodes, [*(Edge(START, name) for name in names), Edge("n0", "judge")], output=last("judge"))


ROWS = (Row("best_of_n", "4 at p = 0.4, judge 0.8", team, expected, control),)
