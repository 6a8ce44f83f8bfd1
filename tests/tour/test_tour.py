"""The whole circle at a small size, on the real model: stopped in the middle, finished by the same call, told again."""

import json

import pytest

from orchestra.tour.circle import tour
from orchestra.tour.plan import SMALL, Sizes
from orchestra.tour.prompts import PROMPTS, ROLES, TEAM
from orchestra.types import Message, View


def stop_at(stage):
    def report(name, done, total):
        if name == stage:
            raise KeyboardInterrupt

    return report


def go(folder, report=lambda *_: None):
    return tour(folder, model="smollm2", sizes=SMALL, seed=0, report_progress=report)


@pytest.mark.slow
def test_a_stopped_tour_is_finished_by_the_same_call(tmp_path):
    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
        go(tmp_path, stop_at("held-out: single"))
    assert not (tmp_path / "stages" / "untrained.json").exists()
    found = go(tmp_path)
    assert [stage["name"] for stage in found["stages"]] == [
        "model", "untrained", "collect", "train team", "trained", "expert", "train citizen", "population",
    ]  # fmt: skip
    assert found["after"]["n"] == SMALL.held_out and found["after"]["paired"]["n"] == SMALL.held_out
    assert set(found["population"]) == {"base", "trained", "expert"}
    assert all((tmp_path / name).stat().st_size > 5_000 for name in ("accuracy.png", "losses.png", "epidemic.png"))
    assert json.loads((tmp_path / "tour.json").read_text())["before"] == found["before"]
    again = go(tmp_path, stop_at("anything would raise"))
    assert again == found


def test_the_prompts_are_three_for_each_role_and_differ():
    task = View("What is 34 + 57?", (Message("m", "generator", 0, "Answer: 91", answer="91"),))
    for role in TEAM:
        asked = {ROLES[prompt][role].request(task).messages for prompt in PROMPTS}
        assert len(asked) == 3
    assert {(r.max_tokens, r.stop) for roles in ROLES.values() for r in roles.values()} == {(24, ("\n",))}


def test_no_example_is_a_held_out_or_development_item():
    from orchestra.evals import arith

    shown = {text for roles in ROLES.values() for r in roles.values() for turn in r.examples for text in turn}
    for split, n in (("test", 1193), ("dev", 405)):
        assert not [t.prompt for t in arith("add2").sample(n, split=split) if any(t.prompt in text for text in shown)]


def test_the_tour_is_as_large_as_it_says():
    sizes = Sizes()
    assert sizes.held_out >= 100 and sizes.development == 30 and sizes.training == 240 and sizes.contrast <= 24
    assert sizes.agents == 1_000_000 and sizes.days == 60 and sizes.decisions == 300
