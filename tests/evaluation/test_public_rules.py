"""What named public scorers make of replies that ours reads otherwise: which of the published cases trips whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.evaluation.benchmark import grade
from orchestra.evaluation.public_rules import RULES, is_equiv
from orchestra.types import Task

# Case, reply, gold, what the rule finds and what it gives.
TRIPS = [
    ("mad_gsm", "#### 1,234", "1234", "234", 0.0),
    ("mad_gsm", "It is {1,234}", "1234", "1234", 1.0),
    ("mad_gsm", "#### -10", "-10", "10", 1.0),
    ("mad_gsm", "#### 10", "-10", "10", 1.0),
    ("mad_gsm", "Answer: 18\n\nLet me double check: it was done in 7 days.", "18", "7", 0.0),
    ("mad_gsm", "I cannot solve this problem.", "18", None, 1.0),
    ("gdesigner_gsm", "#### 1,234", "1234", "234", 0.0),
    ("gdesigner_gsm", "#### -10", "-10", "10", 0.0),
    ("gdesigner_gsm", "#### 18.00", "18", "00", 0.0),
    ("gdesigner_gsm", "#### 70,000", "70000", "000", 0.0),
    ("gdesigner_gsm", "I cannot solve this problem.", "0", "0", 1.0),
    ("gsm8k", "#### 1,234", "1234", "1234", 1.0),
    ("gsm8k", "#### 18.00", "18", "18.00", 0.0),
    ("gsm8k", "<think>maybe #### 12? no</think>\n#### 18", "18", "12", 0.0),
    ("gsm8k", "#### $18", "18", None, 0.0),
    ("gsm8k", "#### 18 dollars and 50 cents", "18", "18", 1.0),
    ("lm_eval", "9 + 9 = 18...", "18", "18..", 0.0),
    ("lm_eval", "Answer: 18\n\nLet me double check: it was done in 7 days.", "18", "7", 0.0),
    ("lm_eval", "#### 12\nQuestion: and then?\n#### 4", "12", "4", 0.0),
    ("lm_eval", "it changes by \u221210", "-10", "10", 0.0),
    ("lm_eval", "#### 18 dollars and 50 cents", "18", "50", 0.0),
    ("reasoning_gym", "<answer>17</answer>", "7", "17", 0.5),
    ("reasoning_gym", "<answer>1009</answer>", "1000", "1009", 1.0),
    ("reasoning_gym", "18", "18", None, 0.0),
    ("reasoning_gym", "<answer>12</answer> no, <answer>18</answer>", "18", "18", 1.0),
    ("hendrycks_math", r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", r"\frac{1}{2}", 1.0),
    ("hendrycks_math", r"\boxed{3} or \boxed{-1}", "-1", "-1", 1.0),
    ("hendrycks_math", r"\boxed 5 then \boxed{7}", "7", r"5 then \boxed{7}", 0.0),
    ("hendrycks_math", r"\boxed{1", "1", None, None),
    ("hendrycks_math", r"\boxed{10080}", r"10,\!080", "10080", 0.0),
    ("hendrycks_math", r"\boxed{C}", r"\text{(C)}", "C", 0.0),
    ("hendrycks_math", "no box", "1", None, 0.0),
    ("simple_evals", "Answer: B\nNo, that is wrong.\nAnswer: D", "D", "B", 0.0),
    ("simple_evals", "Answer: Because of X, it is C", "C", "B", 0.0),
    ("simple_evals", "**Answer:** B", "B", None, 0.0),
    ("simple_evals", "Answer: E", "E", None, 0.0),
]


@pytest.mark.parametrize(("rule", "reply", "gold", "found", "credit"), TRIPS)
def test_a_rule_keeps_the_behaviour_of_its_source(
    rule: str, reply: str, gold: str, found: str | None, credit: float | None
) -> None:
    assert RULES[rule].judge(reply, gold) == (found, credit)


# The column of hendrycks/math in the table of graders: prediction, gold, whether they are equal.
GRADED = [
    ("0.5", r"\frac{1}{2}", True),
    ("0.50", r"\frac{1}{2}", False),
    ("0.25", "1/4", False),
    ("6/8", "3/4", False),
    ("10080", r"10,\!080", False),
    ("90 degrees", r"90^\circ", False),
    ("Evelyn", r"\text{Evelyn}", False),
    ("C", r"\text{(C)}", False),
    ("ans=5", "5", False),
    ("7,5,3", "3, 5, 7", False),
    ("50", r"50\%", True),
    ("1+i", "i+1", False),
    (r"\sqrt{12}", r"2\sqrt{3}", False),
    ("5.0", "5", False),
    (None, None, True),
    ("", "", True),
    ("x=5", "5", True),
    (r"\dfrac12", r"\frac{1}{2}", True),
    (r"\sqrt3", r"\sqrt{3}", True),
]


@pytest.mark.parametrize(("a", "b", "equal"), GRADED)
def test_is_equiv_answers_as_it_was_measured_to(a: str | None, b: str | None, equal: bool) -> None:
    assert is_equiv(a, b) is equal


def test_an_unparseable_reply_is_right_for_one_scorer_and_wrong_for_ours() -> None:
    task = Task("t", "?", "18", "number")
    assert RULES["mad_gsm"].judge("I cannot solve this problem.", "18").credit == 1.0
    assert grade(task, "I cannot solve this problem.") == (0.0, 0.0, False)


PIECES = [
    *("#### ", "-1", ",", ".", "$", "{", "}", "=", "/", "Answer: A", "<answer>", "</answer>"),
    *("\\boxed", "\\boxed ", "\\frac", "\\sqrt"),
]


@given(
    st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=15).map("".join),
    st.sampled_from(["18", "-10", "", "B", r"\frac{1}{2}"]),
)
def test_no_rule_raises(reply: str, gold: str) -> None:
    for rule in RULES.values():
        credit = rule.judge(reply, gold).credit
        assert credit is None or 0.0 <= credit <= 1.0
