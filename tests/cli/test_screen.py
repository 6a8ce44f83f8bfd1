"""Words of a model on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.cli.screen import columns, safe, said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext é 漢字", "plain\n\ttext é 漢字"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[H", ""),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;never ended", ""),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x9b31mC1", "31mC1"),
        ("\x1bcreset", "reset"),
        ("over\rwritten\x08\x7f", "overwritten"),
        ("\u202egnp.exe\u2066\u2069\u200f\u061c", "gnp.exe"),
        ("a\u2028b\u2029c\ufeff", "abc"),
        ("\U000e0041tag", "tag"),
        ("\ud800", "\ufffd"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b[]0;m\x07\\\x9b\u202e"))))
def test_nothing_that_controls_a_terminal_is_left(text: str) -> None:
    left = {unicodedata.category(c) for c in safe(text) if c not in "\n\t\u200c\u200d"}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert safe(safe(text)) == safe(text)


def test_messages_show_markup_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    said("sol\x1b[1mver", 2, "[bold]x[/bold] [red] \x1b]0;t\x07:smile:")
    assert capsys.readouterr() == ("", "solver [2] [bold]x[/bold] [red] :smile:\n")


def test_columns_are_aligned_and_end_where_the_words_end() -> None:
    assert columns([("a", "bb", "c"), ("dddd", "e", "f")]).splitlines() == ["a     bb  c", "dddd  e   f"]
