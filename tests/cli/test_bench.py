"""The figures of a model from the command line, and of choices whose calibration is known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from orchestra.cli import reliability
from orchestra.models.scripted import Scripted
from orchestra.types import Request


def test_a_model_has_its_figures(orchestra) -> None:
    (row,) = orchestra("models", "bench", "tiny", "--tokens", "4", "--calibration", "15", "--json").json["models"]
    assert row["name"] == "tiny" and "exact" in row["capabilities"]
    assert list(row["tokens_per_s"]) == ["1", "8", "64"] and min(row["tokens_per_s"].values()) > 0
    assert row["prefill_tokens_per_s"] > 0 and row["peak_bytes"] > 1_000_000
    assert [(each["questions"], each["rule"]) for each in row["calibration"]] == [
        (kind, rule) for kind in ("compare", "verdict") for rule in ("raw", "null prompts")
    ]
    assert all(0 <= each["ece"] <= 1 and 0 <= each["brier"] <= 2 for each in row["calibration"])


def test_several_models_are_a_table(orchestra) -> None:
    Path("one.txt").write_text("once upon a time\n")
    said = orchestra("models", "bench", "scripted:s.txt", "scripted:one.txt", "--tokens", "4")
    assert said.code == 0, said.err
    assert [line.split()[0] for line in said.out.splitlines()] == ["model", "scripted:s.txt", "scripted:one.txt"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tinny",), "did you mean 'tiny'"),
        (("tiny", "--calibration", "3"), "calibration"),
        (("scripted:nowhere.txt",), "nowhere.txt"),
    ],
)
def test_bad_input_is_told_in_one_line(orchestra, words: tuple[str, ...], message: str) -> None:
    said = orchestra("models", "bench", *words)
    assert said.code == 2 and message in said.err and len(said.err.splitlines()) == 1 and said.out == ""


def knows(request: Request, option: str) -> float:
    """Log-probability of an option to one who calculates: 0.9 for the right one."""
    text = request.messages[-1][1]
    numbers = [int(word.strip("?.,")) for word in text.split() if word.strip("?.,").isdigit()]
    if option.isdigit():
        right = int(option) == max(numbers)
    else:
        right = (option == "yes") == (numbers[0] + numbers[1] == numbers[2]) if numbers else True
    return math.log(0.9 if right else 0.1)


def test_one_who_knows_is_right_and_says_less_than_that() -> None:
    for row in reliability.measure(
        Scripted([], preference=lambda r, o: knows(r, o) if "?" in r.messages[-1][1] else 0.0), 40
    ):
        assert row["accuracy"] == 1.0 and row["confidence"] == pytest.approx(0.9)
        assert row["ece"] == pytest.approx(0.1) and row["brier"] == pytest.approx(0.02)


def test_one_who_always_says_yes_is_put_right_by_null_prompts() -> None:
    def says_yes(request: Request, option: str) -> float:
        return math.log({"yes": 0.9, "no": 0.1}.get(option, 0.5))

    rows = {(row["questions"], row["rule"]): row for row in reliability.measure(Scripted([], preference=says_yes), 40)}
    raw, corrected = rows["verdict", "raw"], rows["verdict", "null prompts"]
    assert (raw["accuracy"], raw["confidence"], raw["ece"]) == (0.5, pytest.approx(0.9), pytest.approx(0.4))
    assert (corrected["confidence"], corrected["ece"]) == (pytest.approx(0.5), pytest.approx(0.0, abs=1e-9))


def test_questions_are_right_half_of_the_time_either_way() -> None:
    for make in (reliability.compare, reliability.verdict):
        asked = make(60)
        assert len({question.request for question in asked}) == 60
        assert all(len(question.request.options) == 2 for question in asked)
        assert 15 <= sum(question.truth for question in asked) <= 45
