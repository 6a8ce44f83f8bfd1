"""Replies under every rule: credits known by hand, a second count of the matrix, and files that are refused."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadData, BadInput
from orchestra.evaluation.audit import LONGEST, Answered, audit, judge, of_file
from orchestra.evaluation.public_rules import RULES
from orchestra.types import Task

CREDITS: dict[tuple[str, str], set[str]] = {
    ("#### 18", "18"): {"strict", "flexible", "gsm8k", "lm_eval", "mad_gsm", "gdesigner_gsm"},
    ("I cannot solve this.", "18"): {"mad_gsm"},
    ("The answer is 70,000.", "70000"): {"flexible", "lm_eval"},
    ("The answer is 10.", "-10"): {"mad_gsm"},
    ("Answer: 18. It took 7 days", "18"): {"flexible"},
    ("<answer>18</answer>", "18"): {"flexible", "lm_eval", "mad_gsm", "gdesigner_gsm", "reasoning_gym"},
}


def reply(text: str | None, gold: Any = "18", **more: Any) -> Answered:
    return Answered(Task("t", "", gold=gold, kind="number"), text, **more)


@pytest.mark.parametrize(("said", "right"), CREDITS.items())
def test_who_finds_a_reply_right(said: tuple[str, str], right: set[str]) -> None:
    found = judge(reply(*said)).verdicts
    assert {name for name, verdict in found.items() if verdict.credit == 1.0} == right
    assert found.keys() == {"strict", "flexible"} | {name for name, rule in RULES.items() if rule.kind == "number"}


def test_the_counts_of_an_audit() -> None:
    found = audit([reply("#### 18"), reply("It is 18.", cut=True), reply(None), reply("#### 1", gold=None)])
    assert (found.replies, found.failed, found.unscored, found.cut, len(found.judged)) == (4, 1, 1, 1, 3)
    rates = {rate.rule: rate for rate in found.rates}
    assert (rates["strict"].unparseable, rates["flexible"].unparseable) == (2, 1)
    credits = {name: rates[name].credit for name in ("strict", "flexible", "mad_gsm")}
    assert [credit and round(3 * credit.mean) for credit in credits.values()] == [1, 2, 3]  # no answer is right there
    assert found.disputed == 3  # the first by reasoning_gym alone


def test_what_a_source_cannot_read_ends_its_program() -> None:
    (one,) = (rate for rate in audit([reply("{1.2.3}")]).rates if rate.rule == "mad_gsm")
    assert (one.raised, one.credit) == (1, None)


@given(st.lists(st.sampled_from([text for text, _ in CREDITS]), min_size=1, max_size=12))
def test_the_matrix_is_what_counting_pair_by_pair_gives(texts: list[str]) -> None:
    found = audit([reply(text) for text in texts])
    for a, b in permutations(found.matrix, 2):
        credits = [(one.verdicts[a].credit, one.verdicts[b].credit) for one in found.judged]
        assert found.matrix[a][b] == sum(x is not None and y is not None and x > y for x, y in credits)


def test_examples_show_every_disputed_pair_first() -> None:
    replies = [reply("#### 18")] * 5 + [reply("I cannot.")]
    shown = audit(replies).examples(2)
    assert [one.reply.text for one in shown] == ["#### 18", "I cannot."]
    assert len(audit(replies).examples(99)) == 6
    text = audit([reply("x" * 2 * LONGEST + "#### 18")]).summary()["examples"][0]["text"]
    assert text.endswith("#### 18") and len(text) == LONGEST + 1


def test_a_file_of_replies(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    rows = [
        {"gold": "18", "text": "#### 18"},
        {"gold": "B", "text": "Answer: B", "kind": "choice", "choices": ["A", "B"], "id": "c", "finish": "length"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    first, second = of_file(file, "number")
    assert (first.task.id, first.task.kind, first.cut) == ("1", "number", False)
    assert (second.task.id, second.task.choices, second.cut) == ("c", ("A", "B"), True)
    assert judge(second).verdicts["simple_evals"].credit == judge(second).verdicts["flexible"].credit == 1.0


@pytest.mark.parametrize("row", [{"text": "1"}, {"gold": "1", "text": 1}, {"gold": "1", "text": "1", "kind": "sum"}])
def test_a_line_that_is_no_reply_is_named(row: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text('{"gold": "1", "text": "1"}\n' + json.dumps(row))
    with pytest.raises(BadData, match=r"log.jsonl:2: expected gold, text \(or null\) and a kind of number"):
        of_file(file, "number")


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(BadInput, match="expected replies to audit, got none"):
        audit([])
