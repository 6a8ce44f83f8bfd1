"""What the default back-end counts, against known answers and a plain account of what is at hand."""

import asyncio
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orchestra.models import tiny
from orchestra.models.local import LocalModel
from orchestra.models.local.network import Network
from orchestra.models.local.prefill import CHUNK, Prefill, Prompt
from orchestra.models.local.statistics import Statistics, Tally
from orchestra.types import Request

ASK = Request((("user", "Tell me about the wind and the rain over the old town."),), max_tokens=2, temperature=0.0)


@pytest.fixture
def model():
    model = LocalModel(tiny.ensure(), name="tiny")
    yield model
    model.close()


def test_27_siblings_are_one_prompt(model: LocalModel) -> None:
    """One prefill of one prompt, one step of 27 replies; asked again, only what is behind the last whole chunk."""
    assert model.statistics() == Statistics() and model.statistics().hit_rate is None
    length, slot = model.count(ASK), model._network.slot_bytes()
    whole = (length - 1) // CHUNK
    assert whole >= 2, "a prompt with something to keep"
    asyncio.run(model.generate([replace(ASK, seed=seed) for seed in range(27)]))
    after = model.statistics()
    assert (after.asked, after.computed, after.reused) == (27 * length, length, 26 * length)
    assert (dict(after.prefills), dict(after.steps), after.passes) == ({1: 1}, {27: 1}, 2)
    assert after.hit_rate == pytest.approx(26 / 27)
    kept = length // CHUNK * CHUNK
    assert after.cache_peak == slot * (kept + 32 * 64), "capacity doubles from 4 rows to 32, of 64 slots"
    asyncio.run(model.generate([ASK]))
    again = model.statistics()
    assert again.computed - after.computed == length - whole * CHUNK
    assert dict(again.steps) == {27: 1, 1: 1}
    assert again.evictions == 0


def test_a_score_asks_for_its_prompt_once(model: LocalModel) -> None:
    asyncio.run(model.score([replace(ASK, options=("yes", "no", "perhaps"))]))
    assert model.statistics().asked == model.statistics().computed == model.count(ASK)


def test_what_was_taken_stays_as_it_was(model: LocalModel) -> None:
    before = model.statistics()
    asyncio.run(model.generate([ASK]))
    assert before == Statistics() != model.statistics()


@torch.inference_mode()
def test_evictions_are_chunks_beyond_the_room() -> None:
    network, tally = Network(tiny.ensure(), torch.bfloat16), Tally()
    prefill = Prefill(network, keep=network.slot_bytes() * CHUNK, tally=tally)
    list(prefill([Prompt(tuple(range(10, 11 + 3 * CHUNK)), None)]))
    assert (tally.evictions, prefill.held) == (2, network.slot_bytes() * CHUNK)
    assert tally.cache_peak == 3 * network.slot_bytes() * CHUNK


NETWORK = Network(tiny.ensure(), torch.bfloat16)
PROMPTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3 * CHUNK), st.integers(1, CHUNK + 2)).map(
        lambda made: Prompt((*range(20, 20 + made[1]), *(7 + made[0],) * made[2]), None)
    ),
    min_size=1,
    max_size=6,
)


@given(st.lists(PROMPTS, min_size=1, max_size=3))
@torch.inference_mode()
def test_computed_tokens_are_those_behind_the_chunks_at_hand(batches: list[list[Prompt]]) -> None:
    """A plain account: prompts one after another, and all their whole chunks at hand from then on."""
    tally = Tally()
    prefill = Prefill(NETWORK, keep=1 << 30, tally=tally)
    known: set[tuple[int, ...]] = set()
    wanted = 0
    for batch in batches:
        before = tally.computed
        read = list(prefill(batch))
        assert sum(map(len, read)) == len({*batch})
        least = 0
        for prompt in dict.fromkeys(batch):
            start = 0
            while start < prompt.chunks - 1 and prompt.ids[: (start + 1) * CHUNK] in known:
                start += 1
            least += len(prompt.ids) - start * CHUNK
            known |= {prompt.ids[: (index + 1) * CHUNK] for index in range(len(prompt.ids) // CHUNK)}
        wanted += least
        assert tally.computed - before == least
    assert tally.computed == wanted
