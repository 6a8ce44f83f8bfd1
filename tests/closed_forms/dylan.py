"""DyLAN with peers who follow the plurality of what they hear and a ranker that errs: a simulation.

Words: a peer reads 2 and says 2; later it reads 2, for each that it hears a number and 2, and the question for k
ratings (16 + k), and says 2, "Ratings:" and k marks, which nobody hears. The ranker reads 2, for each a number and 2,
and "Which of these are best? Give their numbers, best first."; it says all of their numbers.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from random import Random

import numpy as np

from orchestra.contracts.figures import Figures, Mean
from orchestra.engine import Context
from orchestra.models.noisy import Answers, Noisy, ranker, rating, solver
from orchestra.roles import peer
from orchestra.roles import ranker as ranks
from orchestra.team import Selection, Switch, Team
from orchestra.topologies import dylan
from orchestra.types import View
from tests.closed_forms import Row

N, KEEP, P, FOLLOW, WRONG, RANKER = 5, 2, 0.3, 0.6, 9, 0.95
TASKS = 4_000


def simulate(dice: Random, lots: Iterator[float], variant: str) -> tuple[int, ...]:
    """One run: right or not, calls, tokens. Answer 0 is right; `lots` are uniform in [0, 1)."""

    def think(heard: Sequence[int]) -> int:
        if heard and next(lots) < FOLLOW:
            return Counter(dice.sample(heard, len(heard))).most_common(1)[0][0]
        return 0 if next(lots) < P else 1 + int(next(lots) * WRONG)

    said, speakers, heard = [0] * N, list(range(N)), list[int]()
    calls = tokens = 0
    for number in range(3):
        if number == 2:
            calls, tokens = calls + 1, tokens + 2 + 3 * N + 10 + N
            shown = dice.sample(speakers, N)
            if next(lots) < RANKER:
                shown.sort(key=lambda i: said[i] != 0)
            else:
                dice.shuffle(shown)
            speakers = sorted(shown[:KEEP])
            heard = [said[i] for i in speakers] if variant == "paper" else list(said)
            if said[speakers[0]] == said[speakers[1]]:
                break
        spoken = list[int]()
        for i in speakers:
            said[i] = think(heard)
            spoken.append(said[i])
            calls += 1
            tokens += 4 + (3 * len(heard) + 16 + len(heard) + 1 + len(heard) if heard else 0)
            if max(Counter(spoken).values()) > 2 * len(speakers) // 3:
                break
        else:
            heard = list(said)
            continue
        break
    return int(Counter(said[i] for i in speakers).most_common(1)[0][0] == 0), calls, tokens


@lru_cache
def expected(variant: str) -> Figures:
    rng = np.random.default_rng(11)
    done = [simulate(Random(seed), iter(rng.random(96).tolist()), variant) for seed in range(TASKS)]
    return Figures(*(Mean.of(column) for column in zip(*done, strict=True)))


def team(answers: Answers, variant: str) -> Team:
    agents = [peer(Noisy(answers, rating(solver(P, follow=FOLLOW), 0.8)), name=f"n{i}") for i in range(N)]
    return dylan(agents, ranker=ranks(Noisy(answers, ranker(RANKER))), keep=KEEP, variant=variant)


@dataclass(frozen=True)
class ByPlace:
    """The index mix-up of the published code: names become places in a list that was shuffled since."""

    select: Selection
    names: tuple[str, ...]

    async def __call__(self, view: View, ctx: Context) -> Sequence[str]:
        shuffled = ctx.rng().sample(self.names, len(self.names))
        return [shuffled[self.names.index(name)] for name in await self.select(view, ctx)]


def control(answers: Answers, variant: str) -> Team:
    """The ranker is asked, and chance decides who goes on."""
    whole = team(answers, variant)
    *peers, rank = whole.nodes
    layer = rank.actor
    switch = layer if isinstance(layer, Switch) else layer.switch
    mixed = replace(switch, select=ByPlace(switch.select, switch.to))
    actor = mixed if switch is layer else replace(layer, switch=mixed)
    return replace(whole, nodes=[*peers, replace(rank, actor=actor)])


def row(variant: str) -> Row:
    made, wrong = partial(team, variant=variant), partial(control, variant=variant)
    return Row("dylan", f"{N} at p = {P}, ranker {RANKER}, {variant}", made, partial(expected, variant), wrong, WRONG)


ROWS = (row("paper"), row("repo"))
