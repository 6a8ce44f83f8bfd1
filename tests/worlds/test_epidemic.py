import numpy as np
import pytest

from orchestra.contracts.world import check_world
from orchestra.errors import BadInput
from orchestra.population.rules import mixed
from orchestra.population.simulate import simulate
from orchestra.worlds import seir
from orchestra.worlds.epidemic import ACTIONS, BINS, Epidemic, sight
from orchestra.worlds.scenario import Scenario


@pytest.mark.parametrize("seats", [5, 64])
@pytest.mark.parametrize("scenario", [None, Scenario(initial=0.3, period=1, mortality=0.9)])
def test_the_epidemic_keeps_the_contract(seats: int, scenario: Scenario | None) -> None:
    check_world(lambda: Epidemic(seats, 25, scenario))


def test_the_world_is_the_population_at_small_n() -> None:
    """Seats that draw from a table live through the very epidemic that `simulate` runs."""
    scenario, table = Scenario(initial=0.05), mixed(0.3)
    outcome = simulate(scenario, table, agents=300, steps=40, seed=11)
    world = Epidemic(300, 40, scenario, infection=1.0, isolation=0.0)
    observations, _ = world.reset(11)
    for day in range(40):
        turn = world.turn()
        numbers = np.array([int(seat.removeprefix("seat-")) for seat in turn])
        keys = np.array([observations[seat] for seat in turn])
        chosen = table.draw(keys, numbers, day, 11)
        step = world.step({seat: ACTIONS[choice] for seat, choice in zip(turn, chosen, strict=True)})
        observations = step.observations
        assert -sum(step.rewards.values()) == outcome.exposed[day]
    assert (world.state.stage != seir.SUSCEPTIBLE).mean() == outcome.attack_rate > 0.1


def test_rewards_charge_infection_once_and_isolation_each_day() -> None:
    world = Epidemic(40, 60, Scenario(initial=0.2, period=1), infection=5.0, isolation=0.25)
    world.reset(0)
    for _ in range(8):
        before = world.state.stage.copy()
        step = world.step({seat: ACTIONS[i % 2] for i, seat in enumerate(world.seats) if seat in world.agents})
        for seat, reward in step.rewards.items():
            i = int(seat.removeprefix("seat-"))
            caught = before[i] == seir.SUSCEPTIBLE and world.state.stage[i] == seir.EXPOSED
            assert reward == -5.0 * caught - 0.25 * (i % 2 == 0)


def test_a_seat_keeps_its_habit_until_it_decides_again() -> None:
    world = Epidemic(14, 30)
    world.reset(0)
    world.step({"seat-0": "isolate", "seat-1": "isolate"})  # seat-1 is not in turn: not heard
    assert np.flatnonzero(world.state.isolating).tolist() == [0]
    for _ in range(6):
        world.step({})
    assert "seat-0" in world.turn() and world.state.isolating[0]
    world.step({"seat-0": "continue"})
    assert not world.state.isolating.any()


@pytest.mark.parametrize(
    ("said", "action", "unparsed"),
    [
        ("Isolate.", "isolate", 0),
        ("I would CONTINUE, yes: continue", "continue", 0),
        ("isolate or continue?", "continue", 1),
        ("discontinue isolated", "continue", 1),
        ("", "continue", 1),
    ],
)
def test_replies_are_read_or_counted(said: str, action: str, unparsed: int) -> None:
    world = Epidemic(8)
    assert (world.parse("seat-0", said), world.unparsed) == (action, unparsed)


def test_the_default_is_what_the_seat_does_already() -> None:
    world = Epidemic(8)
    world.step({"seat-0": "isolate"})
    assert world.parse("seat-0", "hm") == "isolate"


def test_what_a_seat_sees_of_cases() -> None:
    state = seir.begin(Scenario(), 1000, seed=0)
    state.day, state.cases = 30, [9, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 2]
    seen = sight(state, np.array([4]))
    assert (seen["cases"], seen["week"]) == (4.0, 4)  # 1 + 0 + 0 + 0 + 1 + 2 = 4 of 1,000 in the last seven days
    assert seen["change"] == pytest.approx(100 * (4 - 10) / 10)
    state.cases = [0] * 7 + [3]
    assert sight(state, np.array([4]))["change"] == float("inf")
    state.cases = []
    assert sight(state, np.array([4]))["change"] == 0.0
    assert BINS.keys(seen).shape == (1,)


@pytest.mark.parametrize(("seat", "action"), [("seat-9", "isolate"), ("seat-0", "flee"), ("seat-0", 0)])
def test_unknown_seats_and_actions_are_refused_and_change_nothing(seat: str, action: object) -> None:
    world = Epidemic(8)
    with pytest.raises(BadInput):
        world.step({"seat-0": "isolate", seat: action})
    assert world.state.day == 0 and not world.state.isolating.any()
