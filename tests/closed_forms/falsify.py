"""Claims that are right with probability P, and tests that each tell it with a known sharpness; one wrong answer.

A right claim survives with probability SENSITIVITY ** TESTS, a wrong one with (1 - SPECIFICITY) ** TESTS; the first
that survives stands, or else the last of ROUNDS.

Words: the proposer reads 2 + 12 and says 2, later 2 + "You claimed: Answer: 7000010" + "It was refuted:" and what was
said there + 12. The experimenter reads 2 + "Claim: Answer: 7000010" + 15 and says 1, and after an ablation "Test: Drop
it." more. The falsifier reads 2 + 3 + "Found so far: Yes." + 19 and says 2, and later "You tried: Drop it." more.
"""

from dataclasses import replace

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import Accepted, MaxRounds
from orchestra.models.noisy import Answers, Noisy, verifier
from orchestra.models.noisy import solver as solves
from orchestra.roles import experimenter, falsifier, proposer
from orchestra.team import Team
from orchestra.topologies import falsify
from tests.closed_forms import Row

P, SENSITIVITY, SPECIFICITY, ATTEMPTS, ROUNDS = 0.5, 0.9, 0.6, 2, 3


def team(answers: Answers) -> Team:
    return falsify(
        proposer(Noisy(answers, solves(P))),
        falsifier(Noisy(answers, lambda asked: "Drop it.")),
        experimenter(Noisy(answers, verifier(SENSITIVITY, SPECIFICITY))),
        attempts=ATTEMPTS,
        rounds=ROUNDS,
    )


def trial(passes: float) -> tuple[float, float, float, float]:
    """Survival, calls, tokens, and words of a refutation, weighed with its probability."""
    calls = tokens = refuted = 0.0
    reached = 1.0
    for number in range(1 + ATTEMPTS):
        if number:
            calls += reached
            tokens += reached * (2 + 3 + 4 + 19 + 2 + (4 if number > 1 else 0))
        calls += reached
        tokens += reached * (2 + 3 + 15 + 1 + (3 if number else 0))
        refuted += reached * (1 - passes) * (1 + (2 if number else 0))
        reached *= passes
    return reached, calls, tokens, refuted


def expected() -> Figures:
    kinds = ((P, trial(SENSITIVITY)), (1 - P, trial(1 - SPECIFICITY)))
    survival, calls, tokens, refuted = (sum(p * of[i] for p, of in kinds) for i in range(4))
    claims = sum((1 - survival) ** number for number in range(ROUNDS))
    again = claims - 1
    accuracy = claims * P * kinds[0][1][0] + (1 - survival) ** (ROUNDS - 1) * P * (1 - kinds[0][1][0])
    told = again * (4 + 3) + refuted * (claims - (1 - survival) ** (ROUNDS - 1))
    return Figures(Mean(accuracy), Mean(claims * (1 + calls)), Mean(claims * (2 + 12 + 2 + tokens) + told))


def credulous(answers: Answers) -> Team:
    """Whatever has been tested is accepted."""
    return replace(team(answers), stop=Accepted(("trial",), accepts=bool) | MaxRounds(ROUNDS))


ROWS = (Row("falsify", "p = 0.5, 2 attempts, 3 claims", team, expected, credulous, wrong=1),)
