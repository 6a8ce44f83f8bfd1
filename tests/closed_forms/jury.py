"""Steps find answers, the workspace keeps each once, an actor chooses among them and a critic judges; one wrong answer.

So a step that finds what is known is the last, and the third of three finds nothing new. Simulated, since what the
actor is shown depends on what it said.

Words, with f facts: explorer 2 + ("Known so far:" + 2 f if any) + 4 + 2; scribe 2 + 3 f + "New: Answer: 7000010" + 17 +
2; actor 2 + "Known:" + 2 f + 2, and "You said: Answer: 7000010", "critic: [Disagree]" and 6 more in a later round;
critic 2 + 1 + 2 f + "Proposed: Answer: 7000010" + 11 + 1.
"""

from dataclasses import replace

import numpy as np

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import START, Edge
from orchestra.models.noisy import Answers, Noisy, judge, verifier
from orchestra.models.noisy import solver as solves
from orchestra.roles import explorer, reviewer, scribe, solver
from orchestra.team import Team
from orchestra.topologies import jury
from tests.closed_forms import Row

P, ACCURACY, SENSITIVITY, SPECIFICITY, STEPS, ROUNDS = 0.5, 0.6, 0.9, 0.7, 3, 3
SIMULATED = 10_000


def team(answers: Answers) -> Team:
    return jury(
        explorer(Noisy(answers, solves(P))),
        scribe(Noisy(answers, lambda asked: f"Answer: {asked.heard[-1]}")),
        solver(Noisy(answers, judge(ACCURACY))),
        reviewer(Noisy(answers, verifier(SENSITIVITY, SPECIFICITY, words=("[Agree]", "[Disagree]")))),
        steps=STEPS,
        rounds=ROUNDS,
    )


def expected() -> Figures:
    noise = np.random.default_rng(5)
    rights, calls, tokens = (np.zeros(SIMULATED) for _ in range(3))
    for task in range(SIMULATED):
        facts: list[bool] = []
        for _ in range(STEPS):
            known = len(facts)
            calls[task] += 2
            tokens[task] += (8 + (3 + 2 * known if known else 0)) + (24 + 3 * known)
            found = bool(noise.random() < P)
            if found in facts:
                break
            facts.append(found)
        heard, said = list(facts), False
        for round in range(ROUNDS):
            calls[task] += 2
            tokens[task] += (5 + 2 * len(facts) + 12 * (round > 0)) + (18 + 2 * len(facts))
            sees = True in heard and noise.random() < ACCURACY
            said = sees or heard[int(noise.random() * len(heard))]
            if noise.random() < (SENSITIVITY if said else 1 - SPECIFICITY):
                break
            heard = [*facts, said]
        rights[task] = said
    return Figures(*(Mean.of(figure.tolist()) for figure in (rights, calls, tokens)))


def control(answers: Answers) -> Team:
    """The jury meets before anything is known."""
    made = team(answers)
    return replace(made, edges=[Edge(START, "judge"), Edge("judge", "explore")])


ROWS = (Row("jury", "3 steps, 3 rounds", team, expected, control, wrong=1),)
