"""One alone, a group of three or two teams of two, by a triage of known weights; one wrong answer a task.

The group is right if all three are at once, or if they differ and the majority of their second answers is. The decider
finds a right report with a known accuracy, and else takes one of the two by lot.

Words: the triage reads 2 + 19 and counts 1. Alone 2 + 2. In the group 3 x (2 + 2), then the moderator 2 + 3 x "g1:
Answer: 7000010" + 12 + 1, then 3 x (2 + "You said: Answer: 7000010" + 2 x 3 + "moderator: Hm." + 6 + 2). In the teams
member 2 + 2, lead 2 + 3 + 6 + 2, member 2 + 3 + 6 + 2 with the report, lead 2 + 3 + 3 + 6 + 2, decider 2 + 2 x "Report
of team-1: Answer: 7000010" + 8 + 2.
"""

from dataclasses import replace
from math import log

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Noisy, judge
from orchestra.models.noisy import solver as solves
from orchestra.roles import decider, generator, moderator, solver, triage
from orchestra.team import Team
from orchestra.topologies import mdagents
from tests.closed_forms import Row
from tests.closed_forms.self_consistency import majority

P, ACCURACY = 0.6, 0.8
WEIGHTS = {"solo": 0.5, "group": 0.3, "teams": 0.2}


def team(answers: Answers) -> Team:
    gate = Noisy(answers, solves(P), prefer=lambda asked, option: triage.temperature * log(WEIGHTS[option]))
    model = Noisy(answers, solves(P))
    return mdagents(
        triage(gate),
        generator(model),
        [solver(model, name=f"g{i}") for i in range(1, 4)],
        moderator(Noisy(answers, lambda asked: "Hm.")),
        [solver(model, name=f"t{i}") for i in range(1, 5)],
        decider(Noisy(answers, judge(ACCURACY))),
        size=2,
        rounds=2,
    )


def expected() -> Figures:
    agreed = P**3 + (1 - P) ** 3
    found = P**2 + 2 * P * (1 - P) * (ACCURACY + (1 - ACCURACY) / 2)
    accuracy = {"solo": P, "group": P**3 + (1 - agreed) * majority(3, P), "teams": found}
    calls = {"solo": 1, "group": 3 + (1 - agreed) * 4, "teams": 5}
    tokens = {"solo": 4, "group": 12 + (1 - agreed) * (24 + 3 * 22), "teams": 4 + 13 + 13 + 16 + 22}

    def mean(of: dict[str, float]) -> float:
        return sum(weight * of[branch] for branch, weight in WEIGHTS.items())

    return Figures(Mean(mean(accuracy)), Mean(1 + mean(calls)), Mean(22 + mean(tokens)))


def control(answers: Answers) -> Team:
    """Whoever is sent to work alone comes to the teams, and the other way round."""
    made = team(answers)
    swapped = {"solo": "teams", "teams": "solo"}
    actors = {node.name: node.actor for node in made.nodes}
    return replace(made, nodes=[replace(n, actor=actors[swapped.get(n.name, n.name)]) for n in made.nodes])


ROWS = (Row("mdagents", "weights 0.5, 0.3, 0.2", team, expected, control, wrong=1),)
