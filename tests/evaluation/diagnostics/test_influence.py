"""Messages that moved nobody, by hand."""

from orchestra.evaluation.diagnostics import influence


def test_by_hand(swayed):
    """a and b moved c; what c said moved neither a nor b; what was said last was read by nobody."""
    found = influence([swayed])
    assert (found.messages, found.idle, found.share) == (3, 1, 1 / 3)


def test_a_first_answer_is_no_change(written):
    found = influence([written([("a", 0, "1", ()), ("b", 0, "2", ("a0",))])])
    assert found == (0, 0) and found.share is None


def test_equal_numbers_are_no_change(written):
    run = written([("a", 0, "4", ()), ("b", 0, "1000", ()), ("b", 1, "1,000.0", ("a0",))])
    assert influence([run]) == (1, 1)
    run = written([("a", 0, "4", ()), ("b", 0, "?", ()), ("b", 1, "4", ("a0",))])  # from none to one is a change
    assert influence([run]) == (1, 0)


def test_runs_add_up(swayed):
    assert influence([swayed] * 4) == (12, 4)
