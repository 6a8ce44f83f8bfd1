"""One to three experts as a chief draws them evenly, critics and an evaluator of known sharpness, two turns.

In the second turn the chief stops as often as it orders any one number of experts. Simulated.

Words: chief 2 + 7 + 1 for the size and 2 + 7 + 1 for the direction, in the second turn 2 + 5 + 14 + 1 and 2 + 5 + 7 +
1; recruiter 2 + 1 + 13 + 3. Solver 2 + "Direction: Go." + "You are: one" + 2, in the second turn "team: Answer:
7000010", "evaluator: No." and 6 more; with k critics, when it answers again, 7 + 4 + 2 k + 6 + 2. Critic 7 + "Proposed:
Answer: 7000010" + 11 + 1, evaluator 2 + "Solution: Answer: 7000010" + 15 + 1.
"""

from dataclasses import replace

import numpy as np

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Noisy, verifier
from orchestra.models.noisy import solver as solves
from orchestra.roles import chief, evaluator, recruiter, reviewer, solver
from orchestra.team import Team
from orchestra.topologies import ceo
from tests.closed_forms import Row

P, CRITIC, EVALUATOR, INNER, TURNS = 0.5, (0.9, 0.7), (0.8, 0.6), 2, 2
SIMULATED = 10_000


def team(answers: Answers) -> Team:
    critic = Noisy(answers, verifier(*CRITIC, words=("[Agree]", "[Disagree]")))
    return ceo(
        chief(Noisy(answers, lambda asked: "Go.", prefer=lambda asked, option: 0.0)),
        recruiter(Noisy(answers, lambda asked: "one\ntwo\nthree")),
        solver(Noisy(answers, solves(P))),
        [reviewer(critic, name=f"c{i}") for i in (1, 2)],
        evaluator(Noisy(answers, verifier(*EVALUATOR))),
        turns=TURNS,
        inner=INNER,
        tokens=(),
    )


def expected() -> Figures:
    noise = np.random.default_rng(5)

    def accepts(judge: tuple[float, float], right: bool) -> bool:
        return bool(noise.random() < (judge[0] if right else 1 - judge[1]))

    rights, calls, tokens = (np.zeros(SIMULATED) for _ in range(3))
    for task in range(SIMULATED):
        right = False
        for turn in range(TURNS):
            calls[task] += 1
            tokens[task] += 22 if turn else 10
            size = int(noise.integers(0 if turn else 1, 4))
            if not size:
                break
            calls[task] += 2 + 1
            tokens[task] += (15 if turn else 10) + 19 + (20 if turn else 9)
            right, critics = bool(noise.random() < P), size - 1
            for _ in range(INNER if critics else 0):
                calls[task] += critics
                tokens[task] += 22 * critics
                if sum(accepts(CRITIC, right) for _ in range(critics)) == critics:
                    break
                calls[task] += 1
                tokens[task] += 19 + 2 * critics
                right = bool(noise.random() < P)
            calls[task] += 1
            tokens[task] += 21
            if accepts(EVALUATOR, right):
                break
        rights[task] = right
    return Figures(*(Mean.of(figure.tolist()) for figure in (rights, calls, tokens)))


def control(answers: Answers) -> Team:
    """Recruiter and evaluator have changed places."""
    made = team(answers)
    swapped = {"recruiter": "evaluator", "evaluator": "recruiter"}
    actors = {node.name: node.actor for node in made.nodes}
    return replace(made, nodes=[replace(n, actor=actors[swapped.get(n.name, n.name)]) for n in made.nodes])


ROWS = (Row("ceo", "1 to 3 experts, 2 turns", team, expected, control, wrong=1),)
