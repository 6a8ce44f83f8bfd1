"""Whatever bytes come back, they are an answer or a typed failure; where they are cut in pieces makes no difference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.models.remote.exchange import _events
from orchestra.models.remote.failure import Failed, first_line
from orchestra.models.remote.retry import retry_after
from orchestra.models.remote.wire import Reply, reply

NAMES = st.sampled_from(["choices", "message", "delta", "content", "text", "finish_reason", "usage", "index", "error"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["stop", "length"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(), max_size=3))
def test_any_documents_are_a_reply_or_a_failure(documents: list[bytes]) -> None:
    try:
        made = reply(documents)
    except Failed as failure:
        said = str(failure)
        assert "\n" not in said
    else:
        assert isinstance(made, Reply)


def chunk(**choice: Any) -> bytes:
    return json.dumps({"choices": [choice]}).encode()


def test_a_reply_is_put_together_from_its_pieces() -> None:
    pieces = [chunk(delta={"content": "fo"}), chunk(delta={}), chunk(delta={"content": "ur"}, finish_reason="length")]
    assert reply(pieces) == Reply("four", "length", None)
    assert reply([chunk(text="four", finish_reason="stop")]) == Reply("four", "stop", None)


@pytest.mark.parametrize(
    "pieces", [[chunk(text="a", finish_reason="stop"), chunk(text="b", index=1)], [chunk(index=1)]]
)
def test_a_surplus_completion_shifts_nothing(pieces: list[bytes]) -> None:
    with pytest.raises(Failed, match="a surplus one"):
        reply(pieces)


@given(st.text(max_size=20), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.data())
def test_events_are_the_same_in_any_pieces(said: str, newline: str, done: bool, data: st.DataObject) -> None:
    """The second derivation sees the whole and no pieces."""
    documents = [json.dumps({"said": said, "n": n}).encode() for n in range(3)]
    lines = [": comment", *(f"data: {d.decode()}" for d in documents), "event: end", *["data: [DONE]"] * done, ""]
    whole = newline.join(lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    bounds = [0, *cuts, len(whole)]

    async def parts() -> AsyncGenerator[bytes]:
        for begin, end in pairwise(bounds):
            yield whole[begin:end]

    assert asyncio.run(_events(parts())) == documents


@given(
    st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d [A-Z+-]{1,3}\d{0,6}\Z")
)
def test_any_retry_after_is_seconds_or_nothing(header: str) -> None:
    seconds = retry_after(header)
    assert seconds is None or 0.0 <= seconds < float("inf")


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_body_has_a_first_line(body: bytes) -> None:
    assert first_line(body).isprintable()
