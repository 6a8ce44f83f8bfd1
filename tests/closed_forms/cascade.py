"""Three cheap samples, a verifier where all of them agree, a strong agent where they do not or it rejects; one wrong.

Words: a sample reads 2 and says 2, and so does the strong agent, which begins anew. The verifier reads 2 + "Proposed:"
+ 2 + "Is that right? Say yes or no." and says 1.
"""

from dataclasses import replace

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Noisy
from orchestra.models.noisy import solver as solves
from orchestra.models.noisy import verifier as verifies
from orchestra.roles import generator, solver, verifier
from orchestra.team import Team, When
from orchestra.topologies import cascade
from orchestra.topologies.cascade import rejects
from tests.closed_forms import Row

P, STRONG, SENSITIVITY, SPECIFICITY, N = 0.7, 0.9, 0.9, 0.8, 3


def team(answers: Answers) -> Team:
    judge = verifier(Noisy(answers, verifies(SENSITIVITY, SPECIFICITY)))
    strong = solver(Noisy(answers, solves(STRONG)), name="strong")
    return cascade(generator(Noisy(answers, solves(P))), strong, judge, n=N, share=2 / 3)


def expected() -> Figures:
    right, wrong = P**N, (1 - P) ** N
    escalated = (1 - right - wrong) + right * (1 - SENSITIVITY) + wrong * SPECIFICITY
    accuracy = right * SENSITIVITY + escalated * STRONG
    calls, tokens = N + right + wrong + escalated, 4 * N + 13 * (right + wrong) + 4 * escalated
    return Figures(Mean(accuracy), Mean(calls), Mean(tokens))


def unsure(answers: Answers) -> Team:
    """Without a verifier, and more than half must agree: with one wrong answer, two of three always do."""
    strong = solver(Noisy(answers, solves(STRONG)), name="strong")
    return cascade(generator(Noisy(answers, solves(P))), strong, n=2, share=1 / 2)


def expected_of_unsure() -> Figures:
    escalated = 2 * P * (1 - P)
    return Figures(Mean(P**2 + escalated * STRONG), Mean(2 + escalated), Mean(8 + 4 * escalated))


def accepting(answers: Answers) -> Team:
    """What the verifier accepts is escalated, and what it rejects is not."""
    made = team(answers)
    turned = When(lambda message: not rejects(message))
    return replace(made, edges=[replace(e, carry=turned) if e.carry else e for e in made.edges])


def deaf(answers: Answers) -> Team:
    """The vote hears the first sample alone."""
    made = unsure(answers)
    return replace(made, edges=[e for e in made.edges if (e.src, e.dst) != ("generator-2", "vote")])


ROWS = (
    Row("cascade", "3 at p = 0.7, verifier, strong 0.9", team, expected, accepting, wrong=1),
    Row("cascade", "2 at p = 0.7 that must agree", unsure, expected_of_unsure, deaf, wrong=1),
)
