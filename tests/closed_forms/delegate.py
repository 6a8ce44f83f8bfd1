"""A main agent that asks three experts in turn until two agree, each right with probability P; one wrong answer.

That is the majority of three, and the third is asked where the first two differ. Words: the main agent reads 2 + 23,
and "You asked a: Question 0?" with "a replied: Answer: 7000010", 9, of each question so far; with none left it reads 5
in place of the 23. It says "a: Question 0?", 3, or 2 for the answer. An expert reads 2 + 9 and says 2.
"""

from collections import Counter
from dataclasses import replace

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Asked, Noisy, solver
from orchestra.roles import delegator, informant
from orchestra.team import Team
from orchestra.topologies import delegate
from tests.closed_forms import Row

P, NAMES = 0.7, "abc"


def asks(asked: Asked) -> str:
    tally = Counter(asked.heard).most_common(1)
    questions = asked.text.count("You asked")
    if questions == len(NAMES) or (tally and tally[0][1] == 2):
        return f"Answer: {tally[0][0]}"
    return f"{NAMES[questions]}: {asked.task}"


def team(answers: Answers) -> Team:
    experts = [informant(Noisy(answers, solver(P)), name=name) for name in NAMES]
    return delegate(delegator(Noisy(answers, asks)), experts, calls=len(NAMES))


def expected() -> Figures:
    differ = 2 * P * (1 - P)
    two = (25 + 3) + (11 + 2) + (34 + 3) + (11 + 2) + (43 + 2)
    third = 1 + (11 + 2) + (34 + 2)
    return Figures(Mean(P**2 + differ * P), Mean(5 + 2 * differ), Mean(two + third * differ))


def deaf(answers: Answers) -> Team:
    """The second expert's reply does not come back."""
    made = team(answers)
    return replace(made, edges=[edge for edge in made.edges if (edge.src, edge.dst) != ("b", "delegator")])


ROWS = (Row("delegate", "3 experts at p = 0.7, until two agree", team, expected, deaf, wrong=1),)
