"""A boss that has three workers answer and takes the majority; a worker abstains now and then, and is asked again.

Simulated, since what is asked again depends on what moved. Words: the boss reads 2 + "Workers: a, b, c." + 35, and of
a step that it planned "1 a: Question 0? [completed] Answer: 7000010" or "1 a: Question 0? [blocked] Hm."; it says 3 x 4
for a plan and 2 for an answer. A worker reads 2 and says 2, or 1 where it abstains.
"""

from collections import Counter

import numpy as np

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Asked, Noisy
from orchestra.models.noisy import solver as solves
from orchestra.roles import planner, solver
from orchestra.team import Team
from orchestra.topologies import hierarchical
from tests.closed_forms import Row

P, ANSWERS, ROUNDS, PATIENCE = 0.6, 0.6, 10, 1
SIMULATED = 10_000


def boss(asked: Asked, needs: tuple[str, str, str] = ("", "", "")) -> str:
    if "[blocked]" in asked.text or not asked.heard:
        return "\n".join(
            f"{i} {name}{need}: {asked.task}" for i, (name, need) in enumerate(zip("abc", needs, strict=True))
        )
    return f"Answer: {Counter(asked.heard).most_common(1)[0][0]}"


def worker(asked: Asked) -> str:
    """Follows what it hears, which is nothing where steps need nothing."""
    return solves(P, follow=1.0)(asked) if asked.chance("speaks") < ANSWERS else "Hm."


def team(answers: Answers, say=boss) -> Team:
    hands = Noisy(answers, worker)
    workers = [solver(hands, name=name) for name in "abc"]
    return hierarchical(planner(Noisy(answers, say)), workers, rounds=ROUNDS, patience=PATIENCE)


def control(answers: Answers) -> Team:
    """Each worker hears those before it."""
    return team(answers, lambda asked: boss(asked, ("", " (0)", " (0, 1)")))


def expected() -> Figures:
    noise = np.random.default_rng(5)
    rights, calls, tokens = (np.zeros(SIMULATED) for _ in range(3))
    for task in range(SIMULATED):
        right: dict[int, bool] = {}
        planned, stalls = False, 0
        for _ in range(ROUNDS):
            if not planned or len(right) == 3 or stalls >= PATIENCE:
                calls[task] += 1
                tokens[task] += 41 + (7 * len(right) + 6 * (3 - len(right)) if planned else 0)
                if len(right) == 3:
                    tokens[task] += 2
                    rights[task] = sum(right.values()) >= 2
                    break
                tokens[task] += 12
                planned, stalls = True, 0
            before = len(right)
            for step in set(range(3)) - right.keys():
                calls[task] += 1
                answered = noise.random() < ANSWERS
                tokens[task] += 2 + (2 if answered else 1)
                if answered:
                    right[step] = noise.random() < P
            stalls = 0 if len(right) > before else stalls + 1
        else:
            rights[task] = right[max(right)] if right else False
    return Figures(*(Mean.of(figure.tolist()) for figure in (rights, calls, tokens)))


ROWS = (Row("hierarchical", "3 workers, answering 0.6", team, expected, control, wrong=1),)
