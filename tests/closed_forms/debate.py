"""Debaters who repeat what most of those they hear say, themselves included, with probability FOLLOW: a simulation.

Words: a debater reads 2 and says 2; later it reads 2 + "You said:" + 2, for each whom it hears "Another says:" + 2, and
"Using these as advice, give your updated answer.". The judge reads 2, "NAME says:" + 2 for each debater, and "You
judge. Give the final answer.".
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial

import networkx as nx
import numpy as np

from orchestra.contracts.figures import Figures, Mean
from orchestra.models.noisy import Answers, Noisy, solver
from orchestra.models.noisy import judge as judging
from orchestra.roles import debater, judge
from orchestra.team import Team
from orchestra.topologies import debate
from tests.closed_forms import Row

N, P, FOLLOW, WRONG, ROUNDS, JUDGE = 5, 0.5, 0.8, 3, 3, 0.9
TASKS = 4_000

RING = {i: sorted({(i - 1) % N, (i + 1) % N}) for i in range(N)}
FULL = {i: [j for j in range(N) if j != i] for i in range(N)}
FUNNEL = [(i, hub) for hub in (0, 1) for i in range(N) if i != hub] + [(0, 2), (1, 2)]
"""As many links as a ring has, all to three of them."""


def plurality(answers: Sequence[int]) -> int:
    """Of equally frequent ones the first."""
    return Counter(answers).most_common(1)[0][0]


def simulate(lots: Iterator[float], hears: Mapping[int, list[int]], distinct: bool, judged: bool) -> tuple[int, ...]:
    """One debate: right or not, calls, tokens. Answer 0 is right; `lots` are uniform in [0, 1)."""

    def guess() -> int:
        return 0 if next(lots) < P else 1 + int(next(lots) * WRONG)

    said: list[int] = []
    calls = tokens = 0
    for number in range(ROUNDS):
        before = list(said)
        for i in range(N):
            heard = [before[j] for j in hears[i]] if number else []
            if distinct:
                heard = list(dict.fromkeys(heard))
            shown = [before[i], *heard] if number else []
            answer = plurality(shown) if shown and next(lots) < FOLLOW else guess()
            said[i : i + 1] = [answer]
            calls += 1
            tokens += 2 + (4 + 4 * len(heard) + 8 if number else 0) + 2
            if max(Counter(said[: i + 1]).values()) > 2 * N // 3:
                break
        else:
            continue
        break
    final = plurality(said)
    if judged:
        calls, tokens = calls + 1, tokens + 2 + 4 * len(said) + 6 + 2
        final = 0 if 0 in said and next(lots) < JUDGE else said[int(next(lots) * len(said))]
    return int(final == 0), calls, tokens


@lru_cache
def expected(ring: bool, distinct: bool, judged: bool) -> Figures:
    rng = np.random.default_rng(7)
    hears = RING if ring else FULL
    done = [simulate(iter(rng.random(64).tolist()), hears, distinct, judged) for _ in range(TASKS)]
    return Figures(*(Mean.of(column) for column in zip(*done, strict=True)))


def team(answers: Answers, *, judged: bool = False, **options: object) -> Team:
    agents = [debater(Noisy(answers, solver(P, follow=FOLLOW)), name=f"n{i}") for i in range(N)]
    last = judge(Noisy(answers, judging(JUDGE))) if judged else None
    return debate(agents, rounds=ROUNDS, judge=last, kind="number", **options)


ROWS = (
    Row(
        "debate",
        "ring of 5 at p = 0.5, 3 rounds",
        partial(team, graph=nx.cycle_graph(N)),
        partial(expected, ring=True, distinct=False, judged=False),
        partial(team, graph=FUNNEL),
    ),
    Row(
        "debate",
        "the same, each answer heard once, a judge",
        partial(team, distinct=True, judged=True),
        partial(expected, ring=False, distinct=True, judged=True),
        partial(team, judged=True),
    ),
)
