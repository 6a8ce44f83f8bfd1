"""Actors that keep an artefact which its critic accepts and make another otherwise.

Along an edge right stays right if it is accepted, or rejected and made right again; wrong becomes right if it is
rejected and made right: a Markov chain. The leaves of a star are independent given their hub, and the majority counts.

Words: the first actor reads 2 and says 2. A critic reads 2 + "Proposed: 7000010" + 11 and says 1. An actor that follows
another reads 2 + "v0: 7000010" + "v0>v1: [Agree]" + "Use this and give your answer." and says 2.
"""

from functools import partial

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Noisy, refiner, verifier
from orchestra.roles import reviewer, solver
from orchestra.team import Team
from orchestra.topologies import macnet
from orchestra.topologies.macnet import Kind
from tests.closed_forms import Row
from tests.closed_forms.self_consistency import majority

P, SENSITIVITY, SPECIFICITY = 0.5, 0.8, 0.7
STAYS = SENSITIVITY + (1 - SENSITIVITY) * P
TURNS = SPECIFICITY * P
N = 6


def team(answers: Answers, kind: Kind = "chain") -> Team:
    actor = Noisy(answers, refiner(P, accepted="agree"))
    critic = Noisy(answers, verifier(SENSITIVITY, SPECIFICITY, words=("[Agree]", "[Disagree]")))
    return macnet([solver(actor, name=f"v{i}") for i in range(N)], reviewer(critic), kind=kind)


def chain() -> Figures:
    right = P
    for _ in range(N - 1):
        right = right * STAYS + (1 - right) * TURNS
    return figures(right)


def star() -> Figures:
    return figures(P * majority(N - 1, STAYS) + (1 - P) * majority(N - 1, TURNS))


def figures(accuracy: float) -> Figures:
    return Figures(Mean(accuracy), Mean(N + N - 1), Mean(4 + (N - 1) * (16 + 14)))


ROWS = (
    Row("macnet", "chain of 6", team, chain, partial(team, kind="star"), wrong=1),
    Row("macnet", "star of 6", partial(team, kind="star"), star, team, wrong=1),
)
