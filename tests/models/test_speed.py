"""Rates on a clock that the test turns: 0.5 s a batch, and what was asked for is what is counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestra.errors import RunFailed
from orchestra.models import speed
from orchestra.models.scripted import Scripted
from orchestra.types import Completion, Request


class Clocked(Scripted):
    """Takes half a second for a batch."""

    now = 0.0

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        self.now += 0.5
        return await super().generate(requests)


def test_rates_are_tokens_by_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Clocked(lambda request: "once upon a time")
    monkeypatch.setattr(speed.time, "perf_counter", lambda: model.now)
    found = speed.measure(model, tokens=5)
    assert dict(found.tokens_per_s) == {1: 8.0, 8: 64.0, 64: 512.0}
    assert model.batches == [2, 1, 8, 64, speed.PROMPTS]
    read = sum(model.count(request) for request in model.calls[-speed.PROMPTS :])
    assert found.prefill_tokens_per_s == read / 0.5 > 2 * speed.PROMPTS * speed.WORDS
    assert found.peak_bytes is None or found.peak_bytes > 10_000_000
    assert len(set(model.calls)) == len(model.calls)  # nothing that a cache would know
    assert {request.max_tokens for request in model.calls[: -speed.PROMPTS]} == {5}
    assert {request.max_tokens for request in model.calls[-speed.PROMPTS :]} == {1}


def test_a_model_without_words_has_no_speed() -> None:
    with pytest.raises(RunFailed, match="expected replies with words from scripted"):
        speed.measure(Scripted(lambda request: ""))
