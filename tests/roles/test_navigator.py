"""What a navigator's turn marks, fills and answers, in lines and in JSON, and whatever else it may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.roles.navigator import LONGEST, move


@pytest.mark.parametrize(
    ("said", "marked", "filled", "answer"),
    [
        ("I need [the hour] and [the day].", ("the hour", "the day"), {}, None),
        ("hour: 9\n- day: Monday\n[place]: Rome", ("place",), {"hour": "9", "day": "Monday", "place": "Rome"}, None),
        ("hour = 9", (), {"hour": "9"}, None),
        ('{"hour": "9", "day": 3, "place": null}', (), {"hour": "9", "day": "3"}, None),
        ('Known: {"hour": "9"} so far', (), {"Known": '{"hour": "9"} so far', "hour": "9"}, None),
        ("hour: 9\nAnswer: 11", (), {"hour": "9"}, "11"),
        ("The answer is Rome.", (), {}, "Rome"),
        ("I have no answer yet.", (), {}, None),
        ("[a] [a] []", ("a",), {}, None),
        ("{broken: [x", (), {}, None),
        ("", (), {}, None),
    ],
)
def test_a_turn(said, marked, filled, answer):
    got = move(said)
    assert (got.marked, dict(got.filled), got.answer) == (marked, filled, answer)


@given(st.text(max_size=200) | st.text('[]{}:=" \nab', max_size=200))
def test_anything_is_a_turn(said):
    got = move(said)
    assert all(0 < len(name) <= 80 for name in got.marked)
    assert all(len(value) <= LONGEST for value in got.filled.values())


@pytest.mark.parametrize("unit", ["[", "{", ":", " ", "\n", "[a", '{"a":', "a = "])
def test_a_long_reply_is_read_in_one_pass(unit):
    move(unit * 100_000)
