"""Two teams beside each other, on a command line and as a patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.team.saving.changes import read


def test_equal_teams_have_no_difference(orchestra) -> None:
    orchestra("save", "chain", "--output", "chain.yaml")
    said = orchestra("diff", "chain", "chain.yaml", "--json").json
    assert said["equal"] is True and said["changes"] == [] and said["text"] == ""
    assert said["digests"][0] == said["digests"][1]
    assert orchestra("diff", "chain", "chain.yaml").out == "no difference\n"


def test_changes_are_told_written_and_lead_to_the_other_team(orchestra) -> None:
    orchestra("save", "debate", "-o", "rounds=5", "--output", "b.yaml")
    said = orchestra("diff", "debate", "b.yaml", "--output", "p.yaml", "--json").json
    assert said["equal"] is False
    assert said["changes"] == read(Path("p.yaml")) == [{"do": "set", "at": "stop.second.limit", "to": 5, "was": 2}]
    assert said["text"] == "~ stop.second.limit: 2 -> 5"
    assert orchestra("diff", "debate", "b.yaml").out == "~ stop.second.limit: 2 -> 5\n"
    orchestra("save", "debate", "--patch", "p.yaml", "--output", "c.yaml")
    assert Path("c.yaml").read_bytes() == Path("b.yaml").read_bytes()
    code, out, err = orchestra("save", "b.yaml", "--patch", "p.yaml", "--output", "d.yaml")
    assert (code, out) == (2, "") and "expected to find 2, got 5; the patch is of another team" in err


def test_words_of_a_prompt_cannot_steer_a_terminal(orchestra) -> None:
    orchestra("save", "solo", "--output", "a.json")
    text = Path("a.json").read_text()
    Path("b.json").write_text(text.replace("{{ prompt }}", "{{ prompt }} \\u001b[31m \\u202e line\\nline"))
    out = orchestra("diff", "a.json", "b.json").out
    assert "+{{ prompt }}" in out and "\x1b" not in out and "\u202e" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("diff chain", "'b'"),
        ("diff chain chian", "did you mean 'chain'"),
        ("diff chain absent.yaml", "cannot be read"),
        ("diff chain solo --import absent.py", "absent.py"),
        ("diff chain solo --output p.txt", "expected .json, .yaml or .yml"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(words: str, said: str, orchestra) -> None:
    code, out, err = orchestra(*words.split())
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
