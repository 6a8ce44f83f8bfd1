"""What the fast back-end counts, against known answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

pytest.importorskip(
    "orchestra.models.fast.runtime", reason="needs the extra `fast`: pip install 'orchestra-teams[fast]'"
)

from orchestra.models import tiny
from orchestra.models.fast import FastModel
from orchestra.models.fast.blocks import SIZE, STEP
from orchestra.models.local.statistics import Statistics
from orchestra.types import Request

ASK = Request((("user", "Tell me about the wind and the rain over the old town."),), max_tokens=2, temperature=0.0)


@pytest.fixture
def model():
    model = FastModel(tiny.ensure(), name="fast:tiny", threads=2)
    yield model
    model.close()


def test_27_siblings_are_one_prompt_and_a_token_each(model: FastModel) -> None:
    """One computes the prompt; the others copy it but for its last token, whose logits are wanted."""
    assert model.statistics() == Statistics()
    length = model.count(ASK)
    assert length > SIZE
    asyncio.run(model.generate([replace(ASK, seed=seed) for seed in range(27)]))
    after = model.statistics()
    assert (after.asked, after.computed) == (27 * length, length + 26)
    assert dict(after.prefills) == {1: 1, 26: 1}
    assert (dict(after.steps), after.passes) == ({1: 1, 26: 1}, 3), "the first goes on while the others begin"
    blocks = 1 + 27 * (-(-(length + ASK.max_tokens) // SIZE) - 1)
    assert after.cache_peak == blocks * model._cache.block_bytes
    assert after.evictions == 0


def test_prompts_that_differ_at_their_end_share_what_is_before(model: FastModel) -> None:
    """Two prompts with a beginning in common: the second computes what is behind the last whole STEP of it."""
    one, other = (
        replace(ASK, messages=(("user", f"wind and rain and {end}"),), max_tokens=1) for end in ("sun", "ice")
    )
    first, second = (model.encode(request)[0] for request in (one, other))
    common = next(at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    assert common >= STEP and common % SIZE >= STEP, "a test of copies needs a beginning that ends within a block"
    asyncio.run(model.generate([one]))
    before = model.statistics().computed
    asyncio.run(model.generate([other]))
    assert model.statistics().computed - before == len(second) - common // STEP * STEP


def test_options_are_sequences_with_the_prompt_before_them(model: FastModel) -> None:
    asyncio.run(model.score([replace(ASK, options=("yes", "no"))]))
    length = model.count(ASK)
    assert model.statistics().asked == 2 * length
    assert model.statistics().computed == 2 * length - length // SIZE * SIZE, "the first block is shared at once"
