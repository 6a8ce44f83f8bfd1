"""Trees, contrasts, and the credit that training reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.trajectory.store import open_run

COLLECT = ("collect", "chain", "arith", "--model", "scripted:s.txt", "--json")


@pytest.mark.parametrize(("branch", "decisions"), [("2", 2 + 4 + 8), ("3,1,2", 3 + 3 + 6)])
def test_a_tree_a_task_with_credit_for_each_decision(branch: str, decisions: int, orchestra) -> None:
    value = orchestra(*COLLECT, "--n", "4", "--branch", branch, "--out", "c").json
    assert {"run_dir", "trajectories", "decisions", "calls", "tokens_per_s"} <= value.keys()
    assert (value["trajectories"], value["decisions"], value["calls"]) == (4, 4 * decisions, 4 * decisions)
    assert value["tokens_per_s"] is None  # a script takes no model time
    assert sum(each["decisions"] for each in value["yields"]) == 4 * decisions
    with open_run(Path("c")) as run:
        trees, tables = list(run.trajectories()), run.annotations("nested_mean")
    assert all(tree.task.split == "train" for tree in trees)
    assert {key for tree in trees for key in tables[tree.id]} == {d.key for tree in trees for d in tree.decisions}


def test_a_contrast_grows_what_has_right_and_wrong_draws(orchestra, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("d.jsonl").write_text('{"prompt": "What is 34 + 57?", "gold": "91"}\n')
    Path("mixed.txt").write_text("It is 91.\nIt is 90.\n")
    words = ("collect", "chain", "arith", "--model", "scripted:mixed.txt", "--data", "d.jsonl", "--json")
    value = orchestra(*words, "--contrast", "1", "--branch", "4,2,2").json
    assert value["trajectories"] == 3  # the samples, and a tree under a right and under a wrong one
    roles = {each["role"] for each in value["yields"]}
    assert roles == {"generator", "verifier", "refiner"}
    assert value["decisions"] == 4 + 2 * (2 + 4)


def test_a_test_split_is_collected_by_force_alone(orchestra) -> None:
    value = orchestra(*COLLECT, "--n", "1", "--branch", "1", "--split", "test", "--force").json
    with open_run(Path(value["run_dir"])) as run:
        assert [tree.task.split for tree in run.trajectories()] == ["test"]


def test_people_see_the_yields_of_each_role(orchestra) -> None:
    lines = orchestra(*COLLECT[:-1], "--n", "2", "--branch", "2,1,1").out.splitlines()
    assert lines[0] == "2 trajectories, 12 decisions, 12 calls"
    assert [line.split()[0] for line in lines[1:5]] == ["role", "generator", "verifier", "refiner"]


@pytest.mark.parametrize(
    ("mode", "leaves", "decisions"), [("full", 8, 14), ("aligned", 8, 14), ("best", 1, 6), ("search", 5, 11)]
)
def test_modes_of_a_tree(mode: str, leaves: int, decisions: int, orchestra) -> None:
    Path("s.txt").write_text("It is 4.\nIt is 5.\nno\nIt is 40.\nyes\nIt is 41.\nno, it is 77\n")
    value = orchestra(*COLLECT, "--n", "1", "--branch", "2", "--mode", mode, "--rollouts", "6").json
    with open_run(Path(value["run_dir"])) as run:
        (tree,) = run.trajectories()
    assert (len(tree.leaves), value["decisions"]) == (leaves, decisions)


def test_a_mode_with_one_number_of_draws_refuses_two(orchestra) -> None:
    Path("s.txt").write_text("It is 4.\n")
    refused = orchestra(*COLLECT, "--n", "1", "--branch", "2,1,1", "--mode", "best")
    assert refused.code == 2 and "one number of draws" in refused.err


def test_rules_and_rewards(orchestra) -> None:
    Path("s.txt").write_text("It is 4.\n")
    words = (*COLLECT, "--n", "2", "--branch", "2", "--out", "c", "--credit", "group_relative,verdict,nested_mean")
    assert orchestra(*words, "--reward", "task=1,tokens=0.5,readability=0").json["trajectories"] == 2
    with open_run(Path("c")) as run:
        (tree, _) = run.trajectories()
        tables = {name: run.annotations(name)[tree.id] for name in ("group_relative", "verdict", "nested_mean")}
    # nothing is right, and every leaf is as long as the longest
    assert {row.value for row in tables["nested_mean"].values()} == {-0.5}
    assert {row.advantage for row in tables["group_relative"].values()} == {0.0}
    verdicts = {d.role for d in tree.decisions if tables["verdict"][d.key].value is not None}
    assert verdicts == {"verifier"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--credit", "nested_men"), "did you mean 'nested_mean'"),
        (("--credit", "soft,soft"), "different credit rules"),
        (("--reward", "task"), "expected NAME=NUMBER"),
        (("--reward", "tokns=1"), "did you mean 'tokens'"),
    ],
)
def test_rules_and_rewards_that_there_are_not(words: tuple[str, ...], said: str, orchestra) -> None:
    Path("s.txt").write_text("It is 4.\n")
    refused = orchestra(*COLLECT, "--n", "1", *words)
    assert refused.code == 2 and said in refused.err and refused.err.count("\n") == 1
