"""A reviewer's stance: its last tag, or else yes or no; nothing else is consent."""

import pytest

from orchestra.errors import Unparseable
from orchestra.roles.reviewer import consent, reviewer, stance
from orchestra.types import View


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Fine. [Agree]", True),
        ("[DISAGREE] it is 90", False),
        ("I would [Agree], but no: [Disagree]", False),
        ("No doubt: [Agree]", True),
        ("Yes, it is.", True),
        ("That is not correct.", False),
    ],
)
def test_the_last_tag_counts(said, right):
    assert stance(said) == (right, said)
    assert consent(stance(said)) == reviewer.reply(said, View("q")).answer == ("agree" if right else None)


@pytest.mark.parametrize("said", ["", "I agree to disagree", "perhaps", "[agree"])
def test_what_is_neither(said):
    with pytest.raises(Unparseable):
        stance(said)
