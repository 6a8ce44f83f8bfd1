"""A modeler whose formula can be computed with probability FORM, and is then right with probability P.

There is one wrong answer. What cannot be computed is tried once more. The reporter repeats what was computed with
probability FOLLOW, and thinks otherwise. Words: the analyst reads 2 + 16 and says 1. The modeler reads 2 + "Known:
Sums." + 15 and says "Formula: 7000010 + 0" or "Formula: 1 / 0"; the second time it reads the error, ERROR words, as
well. The reporter reads 2 + "analyst: Sums." + "solve: 7000010 + 0 = 7000010", or "solve:" and the error, + 16, and
says 2.
"""

from dataclasses import replace
from functools import partial

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Asked, Noisy
from orchestra.models.noisy import solver as solves
from orchestra.roles import analyst, modeler, reporter
from orchestra.team import Team
from orchestra.topologies import modeling
from tests.closed_forms import Row

FORM, P, FOLLOW, ALONE = 0.7, 0.8, 0.9, 0.3
ERROR = 13


def formulates(asked: Asked) -> str:
    if asked.chance("form") >= FORM:
        return "Formula: 1 / 0"
    return f"Formula: {solves(P)(asked).removeprefix('Answer: ')} + 0"


def team(answers: Answers, tool: str = "calculator") -> Team:
    return modeling(
        analyst(Noisy(answers, lambda asked: "Sums.")),
        modeler(Noisy(answers, formulates)),
        reporter(Noisy(answers, solves(ALONE, follow=FOLLOW))),
        tool=tool,
    )


def expected() -> Figures:
    again = 1 - FORM
    never = again**2
    follows = P * (FOLLOW + (1 - FOLLOW) * ALONE) + (1 - P) * (1 - FOLLOW) * ALONE
    accuracy = (1 - never) * follows + never * ALONE
    tokens = (2 + 16 + 1) + (19 + 4) + again * (19 + 4 + ERROR) + (2 + 2 + 1 + 16 + 2) + (1 - never) * 5 + never * ERROR
    return Figures(Mean(accuracy), Mean(3 + again), Mean(tokens))


def deaf(answers: Answers) -> Team:
    """The reporter hears the analyst alone."""
    made = team(answers)
    return replace(made, edges=[edge for edge in made.edges if (edge.src, edge.dst) != ("solve", "reporter")])


ROWS = (
    Row("modeling", "p = 0.8, calculator", team, expected, deaf, wrong=1),
    Row("modeling", "the same, algebra", partial(team, tool="algebra"), expected, deaf, wrong=1),
)
