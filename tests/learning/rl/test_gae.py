"""GAE over tokens: by hand, against its definition, against the decisions' own, and what masked tokens must not do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit.agent_chain import advantages
from orchestra.learning.rl.gae import by_token

NUMBER = st.floats(-1, 1)
SHARE = st.floats(0, 1)
PATHS = st.lists(st.tuples(st.lists(st.tuples(NUMBER, st.booleans()), max_size=4), NUMBER, SHARE), max_size=5)
"""Decisions: their tokens' values and masks, what came after them, and the discount behind them."""


def parts(path):
    values = [[value for value, _ in tokens] for tokens, _, _ in path]
    masks = [[int(mask) for _, mask in tokens] for tokens, _, _ in path]
    return values, [reward for _, reward, _ in path], masks, [gamma for _, _, gamma in path]


def by_definition(path, decay):
    """A_t = sum over k >= t of the product of hops up to k, times delta_k, over the sampled tokens as one list."""
    tokens = []  # value, reward, hop
    for of, reward, gamma in path:
        sampled = [value for value, mask in of if mask]
        tokens += [[value, 0.0, 1.0] for value in sampled]
        if tokens:
            tokens[-1][1] += reward
        if sampled:
            tokens[-1][2] = gamma
    after = [*(value for value, _, _ in tokens), 0.0][1:]
    delta = [reward + hop * v2 - value for (value, reward, hop), v2 in zip(tokens, after, strict=True)]
    found = []
    for t in range(len(tokens)):
        total, weight = 0.0, 1.0
        for k in range(t, len(tokens)):
            total += weight * delta[k]
            weight *= tokens[k][2] * decay
        found.append(total)
    return found


def of_sampled(found, masks):
    return [a for row, mask in zip(found, masks, strict=True) for a, m in zip(row, mask, strict=True) if m]


def test_known_answer():
    found = by_token([[0.5], [0.4], [0.2]], [0, 0, 1], [[1]] * 3, gamma=1, decay=1)
    assert found == [[pytest.approx(0.5)], [pytest.approx(0.6)], [pytest.approx(0.8)]]
    assert by_token([[0.5, 0.4, 0.2]], [1], [[1, 1, 1]], gamma=1, decay=1) == [pytest.approx([0.5, 0.6, 0.8])]


def test_only_the_hop_between_agents_is_discounted():
    # backwards, lambda 1/2: 1 - .6 = .4 | .6 - .2 + .4/2 = .6 | 1/2 x .2 - .4 + 1/4 x .6 = -.15 | .4 - .8 - .15/2
    found = by_token([[0.8, 0.4], [0.2, 0.6]], [0, 1], [[1, 1], [1, 1]], gamma=0.5, decay=0.5)
    assert found == [pytest.approx([-0.475, -0.15]), pytest.approx([0.6, 0.4])]


@given(PATHS, SHARE)
def test_against_its_definition(path, decay):
    values, rewards, masks, gammas = parts(path)
    found = by_token(values, rewards, masks, gamma=gammas, decay=decay)
    assert [len(row) for row in found] == [len(row) for row in values]
    assert of_sampled(found, masks) == pytest.approx(by_definition(path, decay), abs=1e-9)
    assert not any(a for row, mask in zip(found, masks, strict=True) for a, m in zip(row, mask, strict=True) if not m)


@given(st.lists(st.tuples(NUMBER, NUMBER), max_size=6), SHARE, SHARE)
def test_one_token_a_decision_is_decision_by_decision(path, gamma, decay):
    values, rewards = [value for value, _ in path], [reward for _, reward in path]
    found = by_token([[value] for value in values], rewards, [[1]] * len(path), gamma=gamma, decay=decay)
    assert [a for (a,) in found] == pytest.approx(advantages(values, rewards, gamma, decay), abs=1e-9)


@given(PATHS, st.data())
def test_masked_tokens_anywhere_change_nothing(path, data):
    values, rewards, masks, gammas = parts(path)
    more_values, more_masks = [list(row) for row in values], [list(row) for row in masks]
    for row, mask in zip(more_values, more_masks, strict=True):
        for _ in range(data.draw(st.integers(0, 3))):
            place = data.draw(st.integers(0, len(row)))
            row.insert(place, data.draw(NUMBER))
            mask.insert(place, 0)
    before = by_token(values, rewards, masks, gamma=gammas, decay=0.9)
    after = by_token(more_values, rewards, more_masks, gamma=gammas, decay=0.9)
    assert of_sampled(after, more_masks) == of_sampled(before, masks)


def test_a_rule_that_steps_over_masked_tokens_would_be_seen():
    """Control: the same with every token a step, as before verl's repair of REINFORCE++."""
    values, masks = [[0.5], [0.3, 0.9, 0.2]], [[1], [1, 0, 1]]
    right = by_token([[0.5], [0.3, 0.2]], [0, 1], [[1], [1, 1]], gamma=0.9, decay=0.9)
    assert of_sampled(by_token(values, [0, 1], masks, gamma=0.9, decay=0.9), masks) == of_sampled(right, [[1], [1, 1]])
    stepped = by_token(values, [0, 1], [[1], [1, 1, 1]], gamma=0.9, decay=0.9)
    assert of_sampled(stepped, masks) != pytest.approx(of_sampled(right, [[1], [1, 1]]), abs=1e-3)


def test_a_decision_of_which_nothing_was_sampled_is_no_step():
    found = by_token([[0.5], [0.7, 0.7], [0.2]], [0.0, 0.25, 1.0], [[1], [0, 0], [1]], gamma=0.5, decay=1)
    assert found == [[pytest.approx(0.25 + 0.5 * 0.2 - 0.5 + 0.5 * 0.8)], [0.0, 0.0], [pytest.approx(0.8)]]


@pytest.mark.parametrize(
    ("values", "rewards", "masks", "gamma"),
    [
        ([[0.1]], [0.0, 1.0], [[1]], 1.0),
        ([[0.1]], [1.0], [[1, 1]], 1.0),
        ([[0.1]], [1.0], [], 1.0),
        ([[0.1]], [1.0], [[1]], [1.0, 1.0]),
    ],
)
def test_lengths_must_fit(values, rewards, masks, gamma):
    with pytest.raises(ValueError, match=r"shorter|longer"):
        by_token(values, rewards, masks, gamma=gamma, decay=1.0)
