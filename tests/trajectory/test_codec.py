"""The codec: what was dumped loads to an equal value; what could not be read back is not written."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadData
from orchestra.trajectory.codec import dump, dump_outcome, load, load_outcome, plain
from orchestra.trajectory.journal import Failure
from orchestra.trajectory.trajectory import SCHEMA, Decision, Event, Leaf, Trajectory
from orchestra.types import Completion, FrozenMap, Key, Message, Request, Task, Usage
from tests.trajectory import records

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Task, records.task), (Message, records.message), (Request, records.request), (Event, records.event),
        (Completion, records.completions()), (Decision, records.decisions()), (Trajectory, records.trajectories()),
        (Key, records.key),
    ],
)  # fmt: skip
def test_round_trip(kind: type[Any], values: st.SearchStrategy[Any]) -> None:
    @given(values)
    def check(value: Any) -> None:
        saved = dump(value)
        found = load(saved, kind)
        assert found == value
        assert type(found) is kind
        assert dump(found) == saved  # floats to the last bit, and one text a value

    check()


@given(records.completions() | st.builds(Failure, records.text) | records.plain)
def test_outcomes_round_trip_with_their_kind(outcome: Any) -> None:
    found = load_outcome(dump_outcome(outcome))
    assert found == outcome
    assert type(found) is type(outcome)


def test_a_leaf_loads_alone() -> None:
    leaf = records.tree().leaves[1]
    assert load(dump(leaf), Leaf) == leaf


def test_arrays_of_any_fields_come_back_as_tuples_and_dataclasses_as_dicts() -> None:
    message = Message("m", "a", 0, "", parsed=[1, {"of": [Key("s", 2), Usage(calls=1)]}])
    parsed = load(dump(message), Message).parsed
    assert parsed == (1, {"of": (("s", 2), {"calls": 1, "tokens_in": 0, "tokens_out": 0, "cost": 0.0, "seconds": 0.0})})
    assert parsed == plain(message.parsed)


def test_golden_file_of_this_schema() -> None:
    saved = (GOLDEN / f"trajectory-v{SCHEMA}.json").read_text(encoding="utf-8").strip()
    assert load(saved, Trajectory) == records.tree()
    assert dump(records.tree()) == saved


def test_every_version_up_to_this_one_has_a_golden_file() -> None:
    assert all((GOLDEN / f"trajectory-v{version}.json").exists() for version in range(1, SCHEMA + 1))


def test_another_schema_version_is_refused_with_the_fix() -> None:
    saved = json.loads(dump(records.tree())) | {"schema": SCHEMA + 1}
    with pytest.raises(BadData, match=rf"schema {SCHEMA + 1}, this version reads {SCHEMA}; fix: upgrade"):
        load(json.dumps(saved), Trajectory)


def test_a_newer_schema_is_told_from_a_broken_file_even_when_its_fields_changed() -> None:
    saved = {"schema": SCHEMA + 1, "trajectory": {"name": "renamed"}}
    with pytest.raises(BadData, match="fix: upgrade"):
        load(json.dumps(saved), Trajectory)


TASK = '{"id":"t","prompt":"p"%s}'


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{", '{"id":"t"}', TASK % ',"colour":"red"', TASK % ',"id":7', TASK % ',"choices":"abc"',
        TASK % ',"private":5', TASK % ',"private":{"a":1}', TASK % ',"kind":"essay"', TASK % ',"gold":NaN',
        TASK % ',"gold":[-Infinity]', TASK % ',"gold":{"a":1e999}', TASK % ',"family":"\\ud800"', (TASK % "") * 2,
        (TASK % "") + "," + (TASK % ""), TASK % (',"gold":' + "[" * 10_000 + "]" * 10_000),
        TASK % (',"gold":' + "9" * 10_000), TASK % ',"family":"\ud800"', (TASK % "") + "]", "\0",
    ],
)  # fmt: skip
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(BadData, match=r"^Task |expected finite numbers"):
        load(text, Task)


def _altered(change: Any) -> str:
    saved = json.loads(dump(records.tree()))
    change(saved["trajectory"])
    return json.dumps(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["decisions"][0]["completion"]["logprobs"].pop(), "equally long"),
        (lambda t: t["decisions"][0]["completion"]["mask"].append(1), "equally long"),
        (lambda t: t["decisions"][0]["completion"].update(mask=None, output_ids=[1]), "equally long"),
        (lambda t: t["decisions"][2]["completion"]["scores"].pop(), "raw scores"),
        (lambda t: t["decisions"][2]["request"]["options"].append("14"), "2 scores of 3 options"),
        (lambda t: t["decisions"][0].update(key=["B", 0]), "two decisions under one key"),
        (lambda t: t["leaves"][0]["taken"].append(["Z", 0]), "does not hold"),
        (lambda t: t["decisions"][0]["key"].append(1), r"decisions\.0\.key"),
        (lambda t: t["decisions"][0]["completion"]["output_ids"].__setitem__(0, True), r"output_ids\.0"),
        (lambda t: t["decisions"][0]["completion"]["output_ids"].__setitem__(0, 7.0), r"output_ids\.0"),
        (lambda t: t["decisions"][0]["completion"]["logprobs"].__setitem__(0, "-0.1"), r"logprobs\.0"),
        (lambda t: t["decisions"][0]["completion"]["usage"].update(euros=1), "euros"),
        (lambda t: t["leaves"][0].update(usage=None), r"leaves\.0\.usage"),
        (lambda t: t.pop("seed"), "seed"),
    ],
)
def test_an_altered_record_is_refused_with_the_place(change: Any, message: str) -> None:
    with pytest.raises(BadData, match=message):
        load(_altered(change), Trajectory)


def test_the_unaltered_record_is_accepted() -> None:
    assert load(_altered(lambda _: None), Trajectory) == records.tree()  # the control of the test above


COMPLETION = Completion("a", (1,), (2,), (-1.0,), (1,), "stop", Usage())


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        replace(COMPLETION, logprobs=(float("-inf"),)), replace(COMPLETION, scores=(float("nan"),)),
        replace(COMPLETION, mask=(True,)), replace(COMPLETION, mask=(1, 1)), replace(COMPLETION, output_ids=(2.0,)),
        Task("t", "p", gold=object()), Task("t", "p", gold={1: 2}), Task("t", "p", gold=b"x"), Task("t", "\ud800"),
        Task("t", "p", gold={"a": {3}}), Task("t", "p", gold=_nested(150)), Task("t", "p", gold=10**5000),
    ],
)  # fmt: skip
def test_what_could_not_be_read_back_is_not_written(value: Any) -> None:
    with pytest.raises(BadData):
        dump(value)


def test_the_deepest_that_is_written_is_read() -> None:
    task = Task("t", "p", gold=plain(_nested(98)))
    assert load(dump(task), Task) == task


def test_frozen_maps_come_back_as_frozen_maps() -> None:
    task = Task("t", "p", private=FrozenMap({"a": "b"}))
    assert hash(load(dump(task), Task)) == hash(task)


def test_every_field_of_a_trajectory_is_in_its_text() -> None:
    assert set(json.loads(dump(records.tree()))["trajectory"]) == {field.name for field in fields(Trajectory)}
