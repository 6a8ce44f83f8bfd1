"""n samples that see nothing of each other and the majority of their answers: Condorcet's sums.

With one wrong answer a task a majority of 5 at p = 0.6 is right with probability 0.683. Where a sample takes its answer
from the shared source with probability rho, so many of them follow it together and the others are independent.
"""

from itertools import pairwise
from math import comb

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import START, Edge, Node, last
from orchestra.models.noisy import Answers, Noisy, solver
from orchestra.roles import debater, generator
from orchestra.team import Team
from orchestra.topologies import self_consistency
from tests.closed_forms import Row

P, N, RHO = 0.6, 5, 0.5


def binomial(n: int, k: int, p: float) -> float:
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def majority(n: int, p: float, given: int = 0) -> float:
    """More than half of n are right, n odd, if `given` of them are and the others are with probability p."""
    return sum(binomial(n - given, k, p) for k in range(n - given + 1) if 2 * (k + given) > n)


def correlated(n: int, p: float, rho: float) -> float:
    """The same where each follows the shared source with probability rho."""
    return sum(
        binomial(n, k, rho) * (p * majority(n, p, given=k) + (1 - p) * (1 - majority(n, 1 - p, given=k)))
        for k in range(n + 1)
    )


def team(answers: Answers) -> Team:
    return self_consistency(generator(Noisy(answers, solver(P))), n=N)


def shared(answers: Answers) -> Team:
    return self_consistency(generator(Noisy(answers, solver(P, rho=RHO))), n=N)


def figures(accuracy: float) -> Figures:
    return Figures(Mean(accuracy), Mean(N), Mean(4 * N))


def chained(answers: Answers) -> Team:
    """Each hears the one before it and follows it half of the time; the last one's word counts."""
    names = [f"n{i}" for i in range(N)]
    agent = debater(Noisy(answers, solver(P, follow=0.5)))
    edges = [Edge(START, "n0"), *(Edge(a, b) for a, b in pairwise(names))]
    return Team("chained", [Node(name, agent) for name in names], edges, output=last(names[-1]))


ROWS = (
    Row("self_consistency", "5 at p = 0.6", team, lambda: figures(majority(N, P)), chained, wrong=1),
    Row(
        "self_consistency", "5 at p = 0.6, rho = 0.5", shared, lambda: figures(correlated(N, P, RHO)), chained, wrong=1
    ),
)
