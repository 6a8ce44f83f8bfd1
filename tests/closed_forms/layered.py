"""Two layers of three; whoever hears an answer repeats it with probability FOLLOW, and otherwise thinks; one wrong.

Words: an agent of the first layer reads 2 and says 2. One of the second reads 2 + "layer-1: Answer: 7000010" + "Use
this and give your answer." and says 2. The judge reads 2, three times "s1 says: Answer: 7000010" and "You judge. Give
the final answer.", and says 2.
"""

from dataclasses import replace
from functools import partial

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import START, Edge
from orchestra.models.noisy import Answers, Noisy
from orchestra.models.noisy import judge as judges
from orchestra.models.noisy import solver as solves
from orchestra.roles import judge, solver
from orchestra.team import Team
from orchestra.topologies import layered
from tests.closed_forms import Row
from tests.closed_forms.self_consistency import binomial, majority

P, FOLLOW, ACCURACY, WIDTH = 0.6, 0.7, 0.8, 3
STAYS = FOLLOW + (1 - FOLLOW) * P
TURNS = (1 - FOLLOW) * P


def team(answers: Answers, aggregate: str = "majority") -> Team:
    agents = [solver(Noisy(answers, solves(P, follow=FOLLOW)), name=f"s{i}") for i in range(2 * WIDTH)]
    return layered(agents, judge(Noisy(answers, judges(ACCURACY))), aggregate=aggregate)


def expected() -> Figures:
    first = majority(WIDTH, P)
    accuracy = first * majority(WIDTH, STAYS) + (1 - first) * majority(WIDTH, TURNS)
    return Figures(Mean(accuracy), Mean(2 * WIDTH), Mean(WIDTH * 4 + WIDTH * (2 + 3 + 6 + 2)))


def judged(p: float) -> float:
    """It takes a right one where it sees that there is one, and else any of the three by lot."""
    return sum(binomial(WIDTH, k, p) * (ACCURACY * (k > 0) + (1 - ACCURACY) * k / WIDTH) for k in range(WIDTH + 1))


def expected_of_judged() -> Figures:
    first = judged(P)
    accuracy = first * majority(WIDTH, STAYS) + (1 - first) * majority(WIDTH, TURNS)
    return Figures(Mean(accuracy), Mean(2 * WIDTH + 1), Mean(WIDTH * 4 + (2 + 12 + 6 + 2) + WIDTH * 13))


def beside(answers: Answers, aggregate: str = "majority") -> Team:
    """The layers hear nothing of each other."""
    made = team(answers, aggregate)
    return replace(made, edges=[Edge(START, node.name) for node in made.nodes])


JUDGED = "judge,majority"

ROWS = (
    Row("layered", "2 x 3 at p = 0.6, majority", team, expected, beside, wrong=1),
    Row(
        "layered",
        "the same, a judge between the layers",
        partial(team, aggregate=JUDGED),
        expected_of_judged,
        partial(beside, aggregate=JUDGED),
        wrong=1,
    ),
)
