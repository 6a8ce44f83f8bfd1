"""Evaluations compared: the tasks they share, several at once, how much worse at most, and what they cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

EVAL = ("--model", "scripted:s.txt", "--n", "20", "--json")


@pytest.mark.usefixtures("sums")
def test_two_evaluations_are_compared_on_the_tasks_they_share(orchestra) -> None:
    a = orchestra("eval", "solo", "arith:add2", *EVAL).json["run_dir"]
    b = orchestra("eval", "chain", "arith:add2", "--model", "scripted:s.txt", "--n", "8", "--json").json["run_dir"]
    said = orchestra("compare", a, b, "--json")
    value = said.json
    assert {"delta", "ci_low", "ci_high", "p", "discordant", "mde", "n"} <= value.keys()
    assert (value["n"], value["delta"], value["discordant"], value["p"]) == (8, 1.0, [8, 0], 2 * 0.5**8)
    assert (value["a"], value["b"]) == ("solo", "chain")
    assert "12 tasks are in one of the two alone" in said.err
    assert orchestra("compare", b, a, "--json").json["delta"] == -1.0
    assert orchestra("compare", a, a, "--json").json["p"] == 1.0

    other = orchestra("eval", "solo", "arith:add1", "--model", "scripted:s.txt", "--n", "8", "--json").json["run_dir"]
    code, out, err = orchestra("compare", a, other)
    assert (code, out) == (2, "") and "no task in common" in err


def test_what_is_no_finished_evaluation_cannot_be_compared(orchestra) -> None:
    assert orchestra("run", "solo", "q", "--model", "scripted:s.txt", "--run-dir", "r").code == 0
    code, _, err = orchestra("compare", "r", "r")
    assert code == 2 and "is of the command 'run'" in err


def test_altered_results_are_noticed(orchestra) -> None:
    folder = Path(orchestra("eval", "solo", "arith", *EVAL).json["run_dir"])
    record = json.loads((folder / "result.json").read_text())
    record["body"]["team"]["items"][0]["flexible"] += 1.0
    (folder / "result.json").write_text(json.dumps(record))
    code, _, err = orchestra("compare", str(folder), str(folder))
    assert code == 1 and "checksum" in err


def run_dir(said) -> str:
    return said.json["run_dir"]


@pytest.mark.usefixtures("sums")
def test_several_are_compared_with_the_first(orchestra) -> None:
    solo, chain, debate = (
        run_dir(orchestra("eval", team, "arith:add2", *EVAL)) for team in ("solo", "chain", "debate")
    )
    value = orchestra("compare", chain, solo, debate, "--json").json
    assert [(row["a"], row["b"]) for row in value["comparisons"]] == [("chain", "solo"), ("chain", "debate")]
    first, second = value["comparisons"]
    assert first["p_holm"] == pytest.approx(2 * min(first["p"], second["p"]))
    assert {name: value[name] for name in first} == first  # the first comparison stands at the top, too
    assert first["delta"] == -1.0
    assert {point["name"] for point in value["curve"]["points"] if point["front"]} == {"solo"}
    assert (first["dominates"], first["dominated"]) == (0.0, 1.0)
    assert first["cost"]["delta"] > 0 and first["cost_ratio"] > 3
    text = orchestra("compare", chain, solo, debate, "--plot", "c.png").out
    assert "by Holm" in text and "tokens a task" in text and Path("c.png").stat().st_size > 1000


@pytest.mark.usefixtures("sums")
def test_no_worse_than_a_margin_is_shown_and_not_assumed(orchestra) -> None:
    """Twenty tasks that both have right do not show that one is worse by less than two points."""
    a, b = (run_dir(orchestra("eval", "solo", "arith:add2", *EVAL, "--run-dir", name)) for name in "ab")
    wide, narrow = (orchestra("compare", a, b, "--margin", m, "--json").json for m in ("0.2", "0.02"))
    assert (wide["p"], wide["non_inferior"]) == (1.0, True)
    assert (narrow["p"], narrow["non_inferior"]) == (1.0, False)
    assert (wide["a"], wide["b"]) == ("solo (a)", "solo (b)")
    assert "not shown to be worse by less than 2.0 points" in orchestra("compare", a, b, "--margin", "0.02").out
    code, _, err = orchestra("compare", a, b, "--margin", "0")
    assert code == 2 and "a margin above 0" in err


@pytest.mark.usefixtures("sums")
def test_cost_is_in_the_unit_asked_for(orchestra) -> None:
    a, b = (run_dir(orchestra("eval", team, "arith:add2", *EVAL)) for team in ("chain", "solo"))
    value = orchestra("compare", a, b, "--cost", "calls", "--json").json
    assert (value["unit"], value["cost"]["delta"], value["cost_ratio"]) == ("calls", 2.0, 3.0)


@pytest.mark.usefixtures("sums")
def test_samples_are_averaged_before_they_are_paired(orchestra) -> None:
    a = run_dir(orchestra("eval", "solo", "arith:add2", "--samples", "2", *EVAL))
    b = run_dir(orchestra("eval", "chain", "arith:add2", *EVAL))
    value = orchestra("compare", a, b, "--json").json
    assert (value["n"], value["delta"]) == (20, 1.0)
