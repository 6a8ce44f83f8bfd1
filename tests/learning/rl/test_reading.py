"""What the weights say of a batch in packs is what they say of each row alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from orchestra.learning.rl import reading
from orchestra.learning.rl.reading import flat
from orchestra.learning.row import IGNORED
from tests.learning.rl.batches import CRITIC, JUDGE, SOLVER, UPDATE, batch, learner, said_alone

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("budget", [1, 25, 4096])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_log_probabilities_in_trees_are_those_of_each_row(
    tiny: Path, budget: int, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ragged rows with forced tokens, of two policies, some asked for and some not."""
    monkeypatch.setattr(reading, "PACK", budget)
    made = learner(tiny, temperature=temperature)
    given = batch(3).experiences
    places = [place for place in range(18) if place % 5]
    found = made.reader.logprobs(given, places)
    assert sorted(found) == places
    for place in places:
        assert found[place] == pytest.approx(said_alone(made, given[place]).tolist(), abs=1e-5)
    swapped = [replace(e, row=replace(e.row, policy=JUDGE if e.agent == SOLVER else SOLVER)) for e in given]
    other = made.reader.logprobs(swapped, places)  # control: by the other's adapter
    assert max(abs(a - b) for place in places for a, b in zip(found[place], other[place], strict=True)) > 1e-3


def test_values_are_the_heads_of_the_state_before_each_token(tiny: Path) -> None:
    made = learner(tiny, replace(UPDATE, critic="token"))
    given = batch().experiences
    found = made.reader.values(given)
    assert sorted(found) == list(range(18))
    made.policies.use(CRITIC)
    head = made.reader.head
    assert head is not None
    for place, each in enumerate(given):
        with torch.no_grad():
            body = made.policies.model.get_base_model().get_decoder()
            states = body(input_ids=torch.tensor([each.row.input_ids])).last_hidden_state[0]
            values = head(states)
        at = [k - 1 for k, label in enumerate(each.row.labels) if label != IGNORED]
        assert found[place] == pytest.approx(values[at].tolist(), abs=1e-5)
    assert max(abs(v) for each in found.values() for v in each) > 1e-2, "or nothing was compared"


def test_observations_are_what_the_base_makes_of_a_prompts_end(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what the agent said itself nor any adapter has a part in them."""
    monkeypatch.setattr(reading, "SEEN", 3)
    made = learner(tiny, replace(UPDATE, critic="action", clam=4))
    given = batch().experiences
    found = made.reader.observations(given)
    body = made.policies.model.get_base_model().get_decoder()
    for each, seen in zip(given, found, strict=True):
        prompt = each.row.input_ids[: next(at for at, label in enumerate(each.row.labels) if label != IGNORED)]
        ids = torch.tensor([prompt])
        with torch.no_grad():
            adapted = body(input_ids=ids).last_hidden_state[0]
            with made.policies.model.disable_adapter():
                states = body(input_ids=ids).last_hidden_state[0]
        torch.testing.assert_close(seen, states[:-1][-3:], atol=1e-5, rtol=0)
        assert float((adapted[:-1][-3:] - seen).abs().max()) > 1e-3  # control


def test_nothing_to_read_is_nothing(tiny: Path) -> None:
    made = learner(tiny, replace(UPDATE, critic="action"))
    assert made.reader.logprobs((), []) == {} and made.reader.values(()) == {}


def test_numbers_stand_in_the_order_of_the_members() -> None:
    assert flat({0: [1.0], 2: [2.0, 3.0]}, [2, 0], torch.device("cpu")).tolist() == [2.0, 3.0, 1.0]
