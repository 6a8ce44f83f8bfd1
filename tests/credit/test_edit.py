"""Edit distance against the textbook's table."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit.edit import edit_distance


def by_table(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        corner, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (x != y))
    return row[-1] / max(len(a), len(b)) if a or b else 0.0


texts = st.text("ab−c", max_size=20) | st.text(max_size=200)


@given(texts, texts)
def test_it_is_the_table_s(a, b):
    assert edit_distance(a, b) == by_table(a, b) == edit_distance(b, a)
