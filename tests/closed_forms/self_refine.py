"""Proposal and improvements: a chain of two states, right and wrong.

The critic accepts a right proposal with probability SENSITIVITY and rejects a wrong one with SPECIFICITY; what is
accepted is kept, what is rejected is answered anew, rightly with probability P. Words: the first proposal is 2 + 2. The
critic reads 2 + "Proposed:" + 2 + "What is wrong with it? Reply in one sentence." and says 1. The reviser reads 2 +
"You said:" + 2 + "A critic says:" + 1 + "Check it, and give your final answer." and says 2.
"""

from dataclasses import replace

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Noisy, refiner, verifier
from orchestra.roles import critic, reviser
from orchestra.team import Team
from orchestra.topologies import self_refine
from tests.closed_forms import Row

P, SENSITIVITY, SPECIFICITY, ROUNDS = 0.5, 0.9, 0.7, 3


def team(answers: Answers) -> Team:
    accepts = Noisy(answers, verifier(SENSITIVITY, SPECIFICITY, words=("Nothing.", "Everything.")))
    return self_refine(reviser(Noisy(answers, refiner(P, accepted="nothing"))), critic(accepts), rounds=ROUNDS)


def expected() -> Figures:
    right = P
    for _ in range(ROUNDS):
        rejected = right * (1 - SENSITIVITY) + (1 - right) * SPECIFICITY
        right = right * SENSITIVITY + rejected * P
    return Figures(Mean(right), Mean(1 + 2 * ROUNDS), Mean((2 + 2) + ROUNDS * ((14 + 1) + (17 + 2))))


def control(answers: Answers) -> Team:
    """What the critic says reaches nobody, so every proposal is made anew."""
    whole = team(answers)
    return replace(whole, edges=[edge for edge in whole.edges if (edge.src, edge.dst) != ("critic", "reviser")])


ROWS = (Row("self_refine", "p = 0.5, 3 rounds, critic 0.9 and 0.7", team, expected, control),)
