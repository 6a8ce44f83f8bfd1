"""Compiling with a scripted model that fears many cases; and that a citizen is asked the same bytes everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from orchestra.engine.door import Speaker, Via
from orchestra.errors import BadRole
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.population.compile import compile_table
from orchestra.population.table import DecisionTable
from orchestra.roles.citizen import citizen
from orchestra.types import Message, Request, Usage, View
from orchestra.worlds.epidemic import ACTIONS, BINS, Epidemic

KEYS = np.array([BINS.key((1, cases, 1, 0)) for cases in range(6)])


class Door:
    """A context that performs what it is asked, and keeps who asked and for how much."""

    def __init__(self) -> None:
        self.asked: list[tuple[Speaker, Usage]] = []

    async def all(self, effects: Sequence[Any], via: Via, *, by: Speaker, bound: Usage) -> Sequence[Any]:
        self.asked.append((by, bound))
        return await via(effects)


def fearful(request: Request, option: str) -> float:
    said = request.messages[-1][1]
    fear = 3.0 if "any are ill" in said else -3.0
    return fear if option == "isolate" else 0.0


async def compiled(policy: Policy, keys: Any = KEYS, role: Any = citizen, door: Door | None = None) -> DecisionTable:
    return await compile_table(role, BINS, policy, keys, door or Door())  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_each_key_is_asked_once_in_one_batch_and_becomes_a_row() -> None:
    model, door = Scripted([], preference=fearful), Door()
    table = await compiled(Policy("citizen", model, "adapters/citizen", 3), np.array([*KEYS[::-1], KEYS[0]]), door=door)
    assert table.rows.tolist() == sorted(KEYS.tolist()) and table.choices == ACTIONS
    likely = dict(zip(table.rows.tolist(), table.probs.argmax(axis=1).tolist(), strict=True))
    assert [likely[key] for key in KEYS.tolist()] == [1, 1, 1, 1, 0, 0]
    ((by, bound),) = door.asked
    assert by == Speaker("citizen", "citizen", "citizen@3", model.weights("adapters/citizen"))
    assert bound.calls == 1 and bound.tokens_in >= max(model.count(request) for request in model.calls[:6])
    views = [citizen.request(BINS.view(key), adapter="adapters/citizen").messages for key in table.rows.tolist()]
    assert [request.messages for request in model.calls if request.messages in views] == views


@pytest.mark.anyio
async def test_the_source_names_weights_and_prompts() -> None:
    base = await compiled(Policy("citizen", Scripted([])))
    assert base.source == (await compiled(Policy("other-name", Scripted([])))).source
    others = [
        await compiled(Policy("citizen", Scripted([]), "adapters/citizen")),
        await compiled(Policy("citizen", Scripted([], name="larger"))),
        await compiled(Policy("citizen", Scripted([])), KEYS[:5]),
        await compiled(Policy("citizen", Scripted([])), role=replace(citizen, prompt="{{ prompt }} Well?")),
    ]
    assert len({base.source, *(table.source for table in others)}) == 5


@pytest.mark.anyio
async def test_a_role_without_choices_is_refused() -> None:
    with pytest.raises(BadRole, match="closed set"):
        await compiled(Policy("citizen", Scripted([])), role=replace(citizen, choices=()))


def test_a_citizen_is_asked_the_same_bytes_in_training_in_play_and_in_a_table() -> None:
    world = Epidemic(8)
    key = world.reset(4)[0]["seat-3"]
    table = citizen.request(BINS.view(key))
    said = Message("world@0", "world", 0, world.text("seat-3"), origin="world")
    assert citizen.request(View("An epidemic.", inbox=(said,), seat="seat-3", round=2)) == table
    assert table.options == citizen.choices == ACTIONS
    assert table.messages[-1][1] == f"{BINS.view(key).prompt}\nDo you isolate or continue?"
