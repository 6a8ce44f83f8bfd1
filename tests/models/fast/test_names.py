"""Names that begin with `fast:`."""

from __future__ import annotations

import importlib.util

import pytest

from orchestra.errors import BadInput, Unavailable, UnknownName
from orchestra.models import names, tiny
from orchestra.models.names import ModelName, parse


@pytest.mark.parametrize("inner", ["smollm2", "tiny", "hf:./model", "hf:org/name@main"])
def test_a_fast_name_holds_that_of_a_model_with_weights_here(inner: str) -> None:
    assert parse(f"fast:{inner}") == ModelName("fast", inner)
    assert str(parse(f"fast:{inner}")) == f"fast:{inner}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fast:", "something after fast:"),
        ("fast:scripted:a.txt", "leave out fast:"),
        ("fast:openai:m@http://127.0.0.1/v1", "leave out fast:"),
        ("fast:fast:tiny", "leave out fast:"),
        ("fast:hf:org/name", "revision"),
    ],
)
def test_what_has_no_weights_here_is_refused(name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse(name)


def test_a_misspelt_model_after_fast_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'tiny'"):
        parse("fast:tinny")


def test_its_folder_is_that_of_the_model() -> None:
    assert names.folder("fast:tiny") == tiny.ensure()


def test_without_the_extra_its_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    with pytest.raises(Unavailable, match=r"orchestra-teams\[fast\]"):
        names.load_model("fast:tiny")
