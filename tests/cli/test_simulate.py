"""Populations from the command line: rules, tables, and a citizen with an adapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.cli.tables import FILE
from orchestra.population import DecisionTable, never
from orchestra.worlds.epidemic import BINS

SIMULATE = ("simulate", "epidemic", "--agents", "2000", "--steps", "12", "--json")
KEYS = {"world", "agents", "steps", "agent_steps_per_s", "model_calls", "peak_bytes", "metrics"}
TIMES = ("agent_steps_per_s", "peak_bytes", "run_dir", "policy")


def figures(value: dict[str, object]) -> dict[str, object]:
    return {name: figure for name, figure in value.items() if name not in TIMES}


def test_rules_differ_and_repeat(orchestra) -> None:
    runs = {policy: orchestra(*SIMULATE, "--policy", policy).json for policy in ("never", "always", "threshold")}
    assert all(value.keys() >= KEYS and value["model_calls"] == 0 for value in runs.values())
    assert runs["never"]["metrics"]["isolating_share"] == 0.0
    assert runs["always"]["metrics"]["attack_rate"] < runs["never"]["metrics"]["attack_rate"]
    again = orchestra(*SIMULATE, "--policy", "never").json
    assert figures(again) == figures(runs["never"]) and again["run_dir"] == runs["never"]["run_dir"]
    assert orchestra(*SIMULATE, "--seed", "1").json["infectious"] != runs["never"]["infectious"]


def test_a_saved_table_is_the_rule_that_it_holds(orchestra) -> None:
    never().save(Path("mine.safetensors"))
    table = orchestra(*SIMULATE, "--policy", "mine.safetensors").json
    assert figures(table) == figures(orchestra(*SIMULATE, "--policy", "never").json)


@pytest.mark.parametrize("folder", ["", "citizen"])
def test_a_citizen_is_asked_once_for_each_key(folder: str, orchestra, adapters: Path) -> None:
    words = (*SIMULATE, "--policy", str(adapters / folder), "--model", "scripted:s.txt")
    value = orchestra(*words).json
    assert value["model_calls"] >= BINS.size
    table = DecisionTable.load(Path(value["run_dir"]) / FILE)
    assert len(table.rows) == BINS.size and value["metrics"]["unseen"] == 0.0
    again = orchestra(*words, "--resume").json
    assert figures(again) == figures(value)


def test_a_folder_without_a_citizen_is_refused(orchestra, adapters: Path) -> None:
    said = orchestra(*SIMULATE, "--policy", str(adapters / "generator"), "--model", "scripted:s.txt")
    assert (said.code, said.out) == (2, "")
    assert "no policy of the team (citizen)" in said.err


def test_a_table_of_other_choices_is_refused(orchestra) -> None:
    import numpy as np

    DecisionTable("x", np.array([0]), np.array([[0.5, 0.5]], np.float32), ("buy", "sell")).save(Path("x.safetensors"))
    said = orchestra(*SIMULATE, "--policy", "x.safetensors")
    assert (said.code, said.out) == (2, "") and "buy, sell" in said.err
