"""Drawings on the command line: which run is laid over a team, and what is said where that cannot be done."""

from __future__ import annotations

from pathlib import Path

import pytest

RUN = ("run", "chain", "What is 34 + 57?", "--model", "scripted:s.txt", "--run-dir", "kept")
COLLECT = ("collect", "chain", "arith:add2", "--n", "8", "--model", "scripted:s.txt", "--run-dir", "many")


def test_a_run_is_laid_over_its_team_in_every_format(orchestra) -> None:
    assert orchestra(*RUN).code == 0
    drawn = orchestra("draw", "chain", "--run", "kept", "--json").json
    assert drawn.keys() == {"format", "text"} and "in -->|1| n0" in drawn["text"]
    assert r"refiner\nspoke 3\n1 turn, 1 call" in orchestra("draw", "chain", "--run", "kept", "--format", "dot").out
    svg = orchestra("draw", "chain", "--run", "kept", "--format", "svg").out
    assert svg.startswith("<svg ") and "answer: 92" in svg and "generator -&gt; refiner: 1 message" in svg
    assert "answer" not in orchestra("draw", "chain", "--format", "svg").out


def test_a_drawing_is_written_whole_to_a_file(orchestra) -> None:
    printed = orchestra("draw", "debate", "--format", "svg").out
    said = orchestra("draw", "debate", "--format", "svg", "--output", "team.svg")
    assert (said.code, said.out) == (0, "team.svg\n")
    assert Path("team.svg").read_text() == printed
    assert orchestra("draw", "debate", "--output", "no/such/folder.svg").err.startswith("error: cannot write no/such")


def test_of_several_trajectories_one_is_chosen(orchestra) -> None:
    assert orchestra(*COLLECT).code == 0
    code, out, err = orchestra("draw", "chain", "--run", "many")
    assert (code, out) == (2, "") and "holds 8 trajectories, expected one; fix: --trajectory with one of " in err
    listed = err.partition("one of ")[2].strip().split(", ")
    assert len(listed) == 6 and listed[-1] == "..."
    assert "spoke 1" in orchestra("draw", "chain", "--run", "many", "--trajectory", listed[1]).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--run", "nowhere"), "nowhere is no run folder"),
        (("--trajectory", "x"), "--trajectory x is of a run; fix: give --run DIR too"),
        (("--run", "kept", "--trajectory", "nosuch"), "unknown trajectory of kept 'nosuch'"),
        (("--run", "kept", "--agents", "2"), "is of another team: digest"),
        (("--format", "pdf"), "unknown format 'pdf'"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_line(words: tuple[str, ...], said: str, orchestra) -> None:
    assert orchestra("run", "debate", "q", "--model", "scripted:s.txt", "--run-dir", "kept").code == 0
    code, out, err = orchestra("draw", "debate", *words)
    assert (code, out) == (2, "") and said in err and len(err.splitlines()) == 1
