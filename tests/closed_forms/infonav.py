"""Two navigators who each need one fact, which they are told in any later turn with probability TOLD; one wrong answer.

Until then none of their answers counts. Once it is told, each repeats what it hears most with probability FOLLOW, and
thinks otherwise; where they do not agree in TURNS turns a judge takes a right answer with probability JUDGE, if there
is one. A simulation.

Words: a navigator reads 2, for a fact that it knows "clue: here", what its partner says, and 28 without a list, 23 with
an open fact or 9 with none. It says "[clue]", or "Hm.", or "clue: here" and "Answer: 7000010"; its partner hears "A
says:" and that, and as long as the fact is open "I need to know: clue.". The decider reads 2 + "Report of talk:" + the
list, "clue: here" or "clue: not known", + for each "A:" and its last word + 8, and says 2.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import START, Edge
from orchestra.models.noisy import Answers, Asked, Noisy, judge
from orchestra.models.noisy import solver as solves
from orchestra.roles import decider, navigator
from orchestra.team import Team
from orchestra.topologies import infonav
from tests.closed_forms import Row

P, TOLD, FOLLOW, JUDGE, TURNS = 0.7, 0.6, 0.5, 0.8, 3
TASKS = 4_000


def talks(asked: Asked) -> str:
    if "Still unknown" not in asked.text and "All is known" not in asked.text:
        return "[clue]"
    if "Still unknown" in asked.text and asked.chance("told") >= TOLD:
        return "Hm."
    return f"clue: here\n{solves(P, follow=FOLLOW)(asked)}"


def team(answers: Answers) -> Team:
    pair = [navigator(Noisy(answers, talks), name=name) for name in ("A", "B")]
    return infonav(pair, decider(Noisy(answers, judge(JUDGE))), turns=TURNS)


def simulate(lots: Iterator[float]) -> tuple[int, ...]:
    """One talk: right or not, calls, tokens. Answer 0 is right; `lots` are uniform in [0, 1)."""
    said: list[tuple[str, int | None]] = [("", None), ("", None)]
    known, answers = [False, False], list[int | None]([None, None])
    calls = tokens = 0
    for turn in range(TURNS):
        for i in (0, 1):
            words, heard = said[1 - i]
            hears = 2 + len(words.split()) + (0 if known[1 - i] else 5) if words else 0
            tokens += 2 + hears + (28 if turn == 0 else 9 + 2 if known[i] else 23)
            calls += 1
            if turn == 0:
                said[i] = "[clue]", None
            elif not known[i] and next(lots) >= TOLD:
                said[i] = "Hm.", None
            else:
                known[i] = True
                thinks = heard is None or next(lots) >= FOLLOW
                answers[i] = int(next(lots) >= P) if thinks else heard
                said[i] = "clue: here Answer: a", answers[i]
            tokens += len(said[i][0].split())
        if None not in answers and answers[0] == answers[1]:
            return int(answers[0] == 0), calls, tokens
    shown = [answer for _, answer in said if answer is not None]
    listed = 2 if any(known) else 3
    tokens += 2 + 3 + listed + sum(1 + len(words.split()) for words, _ in said) + 8 + 2
    if not shown:
        return 0, calls + 1, tokens
    sees = 0 in shown and next(lots) < JUDGE
    final = 0 if sees else shown[int(next(lots) * len(shown))]
    return int(final == 0), calls + 1, tokens


@lru_cache
def expected() -> Figures:
    rng = np.random.default_rng(11)
    done = [simulate(iter(rng.random(32).tolist())) for _ in range(TASKS)]
    return Figures(*(Mean.of(column) for column in zip(*done, strict=True)))


def mute(answers: Answers) -> Team:
    """Neither hears the other."""
    made = team(answers)
    talk, decides = made.nodes
    alone = [Edge(START, "A"), Edge(START, "B"), Edge("A", "A", "temporal"), Edge("B", "B", "temporal")]
    return replace(made, nodes=[replace(talk, actor=replace(talk.actor, edges=alone)), decides])


ROWS = (Row("infonav", "one fact each, 3 turns", team, expected, mute, wrong=1),)
