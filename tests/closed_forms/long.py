"""One answer, of which the oracle has only a short one to give: as `solo`."""

from orchestra.models.noisy import Answers, Noisy, solver
from orchestra.roles import generator
from orchestra.team import Team
from orchestra.topologies import long
from tests.closed_forms import Row
from tests.closed_forms.solo import P, control, expected


def team(answers: Answers) -> Team:
    return long(generator(Noisy(answers, solver(P))))


ROWS = (Row("long", "p = 0.6", team, expected, control),)
