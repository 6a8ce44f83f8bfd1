"""Counter-based draws: SplitMix64's published output, and that nothing but the counters matters."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestra.worlds import draws


def test_mix_gives_the_published_outputs_of_splitmix64_for_seed_1234567() -> None:
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    word = (1 << 64) - 1
    assert [draws.mix(1234567 + i * draws.GOLDEN & word) for i in range(1, 5)] == published


def test_vectorised_bits_are_the_outputs_of_the_scalar_generator() -> None:
    word, state = (1 << 64) - 1, 0
    for counter in (3, 11, 5):  # seed, stream, step
        state = draws.mix((state ^ counter) + draws.GOLDEN & word)
    slow = [draws.mix(state + (agent + 1) * draws.GOLDEN & word) for agent in range(50)]
    assert draws.bits(3, np.arange(50), 5, 11).tolist() == slow


@given(st.integers(0, 2**32), st.integers(0, 10_000), st.lists(st.integers(0, 10**7), min_size=1, max_size=40))
def test_a_draw_does_not_depend_on_who_else_draws(seed: int, step: int, agents: list[int]) -> None:
    together = draws.uniform(seed, np.array(agents), step, 1)
    alone = [float(draws.uniform(seed, np.array([agent], np.int32), step, 1)[0]) for agent in agents]
    assert together.tolist() == alone


def test_draws_are_uniform_and_differ_by_seed_step_and_stream() -> None:
    agents = np.arange(200_000)
    base = draws.uniform(0, agents, 0, 0)
    assert base.min() >= 0.0 and base.max() < 1.0
    cells = np.bincount((base * 64).astype(int), minlength=64)
    chi_square = ((cells - 3125.0) ** 2 / 3125.0).sum()
    assert 25 < chi_square < 120  # 63 degrees of freedom: 0.0001 % outside
    for other in (draws.uniform(1, agents, 0, 0), draws.uniform(0, agents, 1, 0), draws.uniform(0, agents, 0, 1)):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.01


def test_sample_has_the_size_asked_without_repeats() -> None:
    for size in (0, 1, 7, 99, 100):
        chosen = draws.sample(4, 100, size, 0)
        assert len(set(chosen.tolist())) == size and (np.diff(chosen) > 0).all()


def test_shuffled_is_a_permutation() -> None:
    assert sorted(draws.shuffled(0, 1000, 1).tolist()) == list(range(1000))
    assert draws.shuffled(0, 1000, 1).tolist() != draws.shuffled(0, 1000, 2).tolist()
