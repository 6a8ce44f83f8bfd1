"""Generator, verifier, refiner: right if a right proposal is accepted, or if a rejected one is answered anew rightly.

Words: prompt 2; the generator reads it and says 2. The verifier reads 2 + "Proposed:" + 2 + "Is that right? Say yes or
no." and says 1. The refiner reads 2 + "Proposed:" + 2 + "Verdict:" + 1 + "Give the final answer." and says 2.
"""

from collections.abc import Callable
from functools import partial

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Noisy, refiner, solver, verifier
from orchestra.roles import generator
from orchestra.roles import refiner as refines
from orchestra.roles import verifier as verifies
from orchestra.team import Agent, Team
from orchestra.topologies import chain, self_consistency
from tests.closed_forms import Row
from tests.closed_forms.self_consistency import majority

P, SENSITIVITY, SPECIFICITY, ANEW, PASSES = 0.5, 0.9, 0.8, 0.6, 3


def agents(answers: Answers) -> tuple[Agent, Agent, Agent]:
    return (
        generator(Noisy(answers, solver(P))),
        verifies(Noisy(answers, verifier(SENSITIVITY, SPECIFICITY))),
        refines(Noisy(answers, refiner(ANEW))),
    )


def team(answers: Answers) -> Team:
    return chain(*agents(answers))


def expected() -> Figures:
    rejected = P * (1 - SENSITIVITY) + (1 - P) * SPECIFICITY
    return Figures(Mean(P * SENSITIVITY + rejected * ANEW), Mean(3), Mean((2 + 2) + (12 + 1) + (11 + 2)))


def control(answers: Answers) -> Team:
    """The verifier speaks first, and rejects what it has not seen."""
    generates, judges, refining = agents(answers)
    return chain(generates, refining, judges)


def passes(answers: Answers, made: Callable[[Answers], Team]) -> Team:
    return self_consistency(made(answers), n=PASSES)


def expected_of_passes() -> Figures:
    one = expected()
    return Figures(Mean(majority(PASSES, one.accuracy.value)), Mean(PASSES * 3), Mean(PASSES * one.tokens.value))


ROWS = (
    Row("chain", "p = 0.5, sensitivity 0.9, specificity 0.8", team, expected, control),
    Row(
        "chain",
        "the same, majority of 3 passes",
        partial(passes, made=team),
        expected_of_passes,
        partial(passes, made=control),
        wrong=1,
    ),
)
