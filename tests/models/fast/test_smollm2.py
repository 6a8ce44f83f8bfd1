"""The fast back-end on the real model, beside the default one: equal prompts, near log-probabilities, alike answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

pytest.importorskip(
    "orchestra.models.fast.runtime", reason="needs the extra `fast`: pip install 'orchestra-teams[fast]'"
)

from orchestra.models import names
from orchestra.types import Request

pytestmark = pytest.mark.slow

QUESTIONS = ("Name the capital of France.", "Name three colours.", "1.\n\n2. Is the sky blue?", "Say hello.")
ROLE = ("system", "You answer with one short sentence, and you do not explain what you say to anybody. " * 3)


def test_it_speaks_like_the_default_back_end() -> None:
    default, fast = names.load_model("smollm2"), names.load_model("fast:smollm2")
    asked = [
        Request((*chat, ("user", question)), max_tokens=24, temperature=0.0)
        for question in QUESTIONS
        for chat in ((), (ROLE,))
    ]
    theirs, ours = (asyncio.run(model.generate(asked)) for model in (default, fast))
    assert [made.prompt_ids for made in ours] == [made.prompt_ids for made in theirs]
    assert "Paris" in ours[0].text
    scored = [replace(one, options=(made.text, "zebra")) for one, made in zip(asked, theirs, strict=True)]
    for a, b in zip(*(asyncio.run(model.score(scored)) for model in (default, fast)), strict=True):
        apart = [abs(x - y) / n for x, y, n in zip(a.logprobs, b.logprobs, a.tokens, strict=True)]
        assert apart[0] < 0.1, "a token of a reply; seen: 0.016 in the mean, 0.05 at most"
        assert b.logprobs[0] / b.tokens[0] > b.logprobs[1] / b.tokens[1] + 1, "a control: other words are far off"
    assert default.weights() != fast.weights()
    default.close()
    fast.close()
