"""What a modeler's reply writes down: the formula in a fence, behind its mark, or the whole of it."""

import pytest

from orchestra.errors import Unparseable
from orchestra.roles.modeler import formula


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("34 + 57", "34 + 57"),
        ("We add them.\nFormula: 34 + 57", "34 + 57"),
        ("Formula: 1 + 1\nNo, better:\nformula : 2 + 2", "2 + 2"),
        ("```python\nx = 3\nx * 2\n```\nThat is it.", "x = 3\nx * 2"),
        ("`solve(3*x == 6, x)`", "solve(3*x == 6, x)"),
        ("x^2", "x^2"),
    ],
)
def test_where_it_stands(said, found):
    assert formula(said) == found


@pytest.mark.parametrize("said", ["", "We add 34 and 57.", "Formula:", "```\n```", "Formula: os.system(1)", "foo(1)"])
def test_a_reply_without_one(said):
    with pytest.raises(Unparseable):
        formula(said)
