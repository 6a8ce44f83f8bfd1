"""Logs of Inspect: one a system, every figure that of the evaluation. That the real package reads them is checked by
`scripts/inspect_check.py`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from finished_runs import evaluated

from orchestra.errors import BadInput
from orchestra.evaluation.finished import finished
from orchestra.evaluation.inspect_log import Source, log, write
from orchestra.evaluation.result import Result
from orchestra.trajectory.store import open_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluated(tmp_path_factory.mktemp("eval") / "run")


@pytest.fixture(scope="module")
def logs(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    files = write(run, tmp_path_factory.mktemp("logs"))
    read = [json.loads(file.read_text()) for file in files]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_arith-add1-[\w-]+_\w{22}\.json", f.name) for f in files)
    return {told["eval"]["solver"]: told for told in read}


def test_every_system_has_a_log_with_its_own_figures(run: Path, logs: dict[str, Any]) -> None:
    found = finished(run)
    assert list(logs) == ["chain", *found.figures["baselines"]]
    for result in found.results():
        told = logs[result.system]
        assert (told["version"], told["status"], told["eval"]["task"]) == (2, "success", "arith:add1")
        scores = {score["name"]: score["metrics"]["accuracy"]["value"] for score in told["results"]["scores"]}
        assert scores == {"strict": result.strict.mean, "flexible": result.flexible.mean}
        assert [sample["scores"]["flexible"]["value"] for sample in told["samples"]] == [
            i.flexible for i in result.items
        ]
    assert len({told["eval"]["task_id"] for told in logs.values()}) == len(logs)


def test_usage_by_model_and_role_is_what_the_runs_spent(run: Path, logs: dict[str, Any]) -> None:
    for system, told in logs.items():
        spent = sum(scored.item.usage.tokens for scored in finished(run).systems[system])
        for name in ("model_usage", "role_usage"):
            assert sum(usage["total_tokens"] for usage in told["stats"][name].values()) == spent > 0
    assert logs["chain"]["stats"]["role_usage"].keys() == {"generator", "verifier", "refiner"}
    assert logs["chain"]["stats"]["model_usage"].keys() == {"scripted:s.txt"}


def test_a_transcript_is_events_in_spans_of_agents(run: Path, logs: dict[str, Any]) -> None:
    for sample, scored in zip(logs["chain"]["samples"], finished(run).ours, strict=True):
        begun: list[str] = []
        calls = []
        for event in sample["events"]:
            if event["event"] == "span_begin":
                begun.append(event["id"])
            elif event["event"] == "span_end":
                assert begun.pop() == event["id"]
            else:
                assert event["span_id"] == begun[-1]
                calls.append((event["role"], event["output"].get("completion"), event["error"]))
        assert not begun
        made = scored.trajectory.decisions
        assert calls == [(d.role, d.completion.text if d.completion else None, d.error) for d in made]
        assert (sample["error"] is None) == (scored.item.error is None)


def test_what_is_wrong_for_its_form_says_so(logs: dict[str, Any]) -> None:
    reasons = [sample["scores"]["flexible"].get("reason") for sample in logs["solo"]["samples"]]
    assert reasons.count("invalid_response_format") == 18  # 12 without an answer, 6 that failed
    assert reasons.count(None) == 22


def test_several_runs_of_a_task_are_epochs(tmp_path: Path) -> None:
    run = evaluated(tmp_path / "run", "solo", "arith:add1", "--n", "3", "--samples", "2")
    (told,) = (json.loads(file.read_text()) for file in write(run, tmp_path / "logs"))
    assert [sample["epoch"] for sample in told["samples"]] == [1, 1, 1, 2, 2, 2]
    assert told["eval"]["config"]["epochs"] == 2
    (means,) = (each["samples"] for each in told["reductions"] if each["scorer"] == "flexible")
    assert {each["sample_id"]: each["value"] for each in means} == finished(run).results()[0].scores()


def test_nothing_is_overwritten_and_no_other_run_is_taken(run: Path, tmp_path: Path) -> None:
    write(run, tmp_path)
    with pytest.raises(BadInput, match="expected files that do not exist yet"):
        write(run, tmp_path)
    with open_run(tmp_path / "other", create=True, spec={"command": "collect"}):
        pass
    with pytest.raises(BadInput, match="is of the command 'collect'"):
        write(tmp_path / "other", tmp_path / "logs")


def test_a_task_without_a_gold_has_no_score(run: Path) -> None:
    found = finished(run)
    first, *others = found.ours
    bare = first._replace(item=replace(first.item, strict=None, flexible=None))
    again = replace(found, systems={**found.systems, "chain": (bare, *others)})
    made = log(
        again,
        Result("chain", "arith:add1", tuple(s.item for s in again.ours)),
        Source(datetime(2026, 1, 1, tzinfo=UTC), {}),
    )
    assert made["samples"][0]["scores"] == {}
    assert made["results"]["scores"][0]["unscored_samples"] == 1
