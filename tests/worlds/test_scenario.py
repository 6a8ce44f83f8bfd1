from typing import Any

import numpy as np
import pytest

from orchestra.errors import BadInput
from orchestra.worlds.scenario import Scenario, generation_time

# Differences of the gamma distribution function with mean 5.5 and standard deviation 2.4, at 0, 1, ... 17 days.
GAMMA = (
    0.0, 0.00191, 0.03174, 0.09996, 0.15980, 0.17954, 0.16288, 0.12805, 0.09088,
    0.05973, 0.03699, 0.02183, 0.01239, 0.00681, 0.00364, 0.00190, 0.00097, 0.00049,
)  # fmt: skip


def test_generation_time_has_its_known_values_and_adds_up_to_one() -> None:
    assert np.abs(np.array(generation_time(5.5, 2.4, days=18)) - GAMMA).max() < 6e-6
    assert sum(generation_time(5.5, 2.4, days=80)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("mean", "deviation"), [(5.5, 2.4), (1.0, 1.0), (20.0, 3.0), (3.0, 6.0)])
def test_generation_time_agrees_with_scipy(mean: float, deviation: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    scale = deviation**2 / mean
    cdf = stats.gamma.cdf(np.arange(-1, 40), mean / scale, scale=scale)
    assert np.allclose(generation_time(mean, deviation, days=40), np.diff(cdf), rtol=0, atol=1e-13)


def test_reproduction_number_by_hand() -> None:
    shed = 0.33 * sum(GAMMA[:6]) + 0.72 * sum(GAMMA[6:11])
    assert shed == pytest.approx(0.5006, abs=5e-5)
    even = Scenario(susceptibility=(1.0,) * 9)
    assert even.reproduction == pytest.approx(4.75 * shed, rel=1e-4)
    assert Scenario().reproduction == pytest.approx(2.347, abs=1e-3)


def test_force_is_fixed_point_and_falls_with_isolation_at_the_source() -> None:
    force = Scenario(efficacy=0.75).force()
    assert force.dtype == np.int64 and force.shape == (2, 12, 2)
    assert force[1, 6, 0] / 2**32 == pytest.approx(0.72 * GAMMA[6], abs=1e-5)
    assert force[0, 3, 1] == pytest.approx(0.25 * force[0, 3, 0], abs=1)


def test_exposure_divides_by_each_agents_own_interactions() -> None:
    scenario = Scenario(interactions=(2.0, 3.0, 4.0), efficacy=0.5, transmission=(4.0, 1.0))
    exposure = scenario.exposure(0, 10, first=8) * 2**32
    assert exposure[0].tolist() == pytest.approx([4 * 0.35 / 2, 4 * 0.35 / 4])
    assert exposure[8, 0] == pytest.approx(4 * 1.52 / 4)
    assert scenario.exposure(7, 10, 8)[3, 0] == scenario.exposure(99, 10, 8)[3, 0] == exposure[3, 0] / 4 / 2**32


def test_compat_divides_all_by_the_interactions_of_agent_0_and_isolation_is_total_for_the_susceptible_alone() -> None:
    scenario = Scenario(interactions=(2.0, 3.0, 4.0), efficacy=0.5, compat="agenttorch")
    exposure = scenario.exposure(0, 10, first=8) * 2**32
    assert exposure[0].tolist() == pytest.approx([4.75 * 0.35 / 4, 0.0])
    assert (scenario.force()[..., 0] == scenario.force()[..., 1]).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"efficacy": 1.5}, "efficacy must be in"),
        ({"mortality": -0.1}, "mortality must be in"),
        ({"period": 0}, "period must be at least 1"),
        ({"transmission": ()}, "transmission must not be empty"),
        ({"transmission": (float("nan"),)}, "transmission must be finite"),
        ({"generation": (0.0, 1.0)}, "generation or interactions hold 0"),
        ({"susceptibility": (1.0,)}, "one value for each of 9"),
        ({"ages": (0.5,) * 9}, "must add up to 1"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Scenario(**wrong)
