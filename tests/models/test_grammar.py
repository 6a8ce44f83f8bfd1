"""A text keeps to its grammar, or it does not: beside `re.fullmatch` and `json.loads`, which know nothing of ours."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.models.grammar import follows, read

NOTE = json.dumps(
    {
        "json_schema": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "marks": {"type": "array", "items": {"type": "integer"}}},
            "required": ["text", "marks"],
            "additionalProperties": False,
        }
    }
)
NOTES = st.builds(
    lambda text, marks: {"text": text, "marks": marks},
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.lists(st.integers(), max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(NOTES, st.booleans(), st.sampled_from([None, 0, 2]))
def test_a_value_of_the_schema_follows_however_it_is_written(value: dict, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert follows(NOTE, text)
    assert all(follows(NOTE, text[:end], whole=False) for end in range(len(text)) if settled(text[:end]))
    assert not any(follows(NOTE, text[:end]) for end in range(len(text)))
    assert not follows(NOTE, text.replace('"marks"', '"remarks"'))


def settled(text: str) -> bool:
    """Not in the middle of an escape, which may be spelt otherwise once it is whole."""
    return re.search(r"\\(u[0-9a-fA-F]{0,4})?$", re.sub(r"\\\\", "", text)) is None and not re.search(
        r"\\u[dD][89abAB][0-9a-fA-F]{2}(\\(u[0-9a-fA-F]{0,3})?)?$", text
    )


@pytest.mark.parametrize(
    "text", [r'{"text":\u0022a\u0022,"marks":[]}', r'{"text":"\ud83d","marks":[]}', "[1]", "{", "x"]
)
def test_what_is_no_value_of_the_schema_does_not(text: str) -> None:
    assert not follows(NOTE, text)


@settings(max_examples=200, deadline=None)
@given(st.text("ab1 ", max_size=6))
def test_a_regex_is_matched_whole(text: str) -> None:
    assert follows('{"regex": "(a|b1)+ ?"}', text) == bool(re.fullmatch("(a|b1)+ ?", text))


@pytest.mark.parametrize("text", ["a", "a.b", "a|c", "aXb", "", "c"])
def test_texts_of_an_enum_are_taken_as_they_stand(text: str) -> None:
    assert follows('{"enum": ["a.b", "a|c"]}', text) == (text in ("a.b", "a|c"))
    assert follows('{"enum": ["a.b", "a|c"]}', text, whole=False) == (text in ("", "a", "a.b", "a|c"))


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"enum": "ab"}', '{"enum": [1]}', '{"regex": 1}', '{"a": 1}'])
def test_what_is_no_grammar_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="expected a grammar"):
        read(text)
    with pytest.raises(BadInput, match="expected a grammar"):
        follows(text, "a")
