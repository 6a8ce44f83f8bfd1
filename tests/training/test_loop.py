"""Stages that are done once, the recipes that they start, and what is refused."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestra.errors import BadData, BadInput, RunFailed, UnknownName
from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.gate import better
from orchestra.learning.adapters import bind, read_manifest
from orchestra.learning.publishing import publish
from orchestra.models.scripted import Scripted
from orchestra.topologies import solo
from orchestra.training import _launch, _loop, _options, agentevol, malt, optima
from orchestra.training._loop import STANDING, Loop
from orchestra.training._team import CHAIN, Manner, roles
from orchestra.types import Task

LETTERS = str(Path(__file__).with_name("letters.py"))


def loop(folder: Path, said: str = "Answer: b") -> Loop:
    made = Loop(folder, "scripted", _options.benchmark(LETTERS), 0, lambda *_: None)
    made.__dict__["model"] = Scripted(lambda request: said)
    return made


def test_a_stage_is_done_once(tmp_path: Path) -> None:
    calls = []

    def work() -> dict[str, Any]:
        calls.append(1)
        return {"x": len(calls)}

    assert loop(tmp_path).stage("a", work) == {"x": 1}
    again = loop(tmp_path)
    assert again.stage("a", work) == {"x": 1}
    assert again.stage("b", work) == {"x": 2}
    assert [stage["name"] for stage in again.stages] == ["a", "b"]


def test_a_stage_that_fails_is_done_again(tmp_path: Path) -> None:
    def fail() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop(tmp_path).stage("a", fail)
    assert loop(tmp_path).stage("a", lambda: {"x": 1}) == {"x": 1}


def test_a_measured_system_reads_the_same_when_told_again_and_is_not_made(tmp_path: Path) -> None:
    first = loop(tmp_path)
    tasks = first.benchmark.sample(3, split="dev")
    agent = roles([], Manner())["generator"]
    found = first.measured("one", lambda: solo(agent(first.model)), tasks)
    assert found.strict.mean == 0.0  # "A" has an odd code

    def unmade() -> Any:
        raise AssertionError("made again")

    assert loop(tmp_path).measured("one", unmade, tasks) == found


@pytest.mark.parametrize("promoted", [True, False])
def test_the_gate_moves_adapters_or_leaves_them(tmp_path: Path, promoted: bool) -> None:
    """Scripted results decide; what stands is what was measured to be better, or what stood."""
    made = loop(tmp_path)
    for name, weights in (("standing", "old"), ("new", "new")):

        def fill(folder: Path, weights: str = weights) -> None:
            (folder / "adapter_model.safetensors").write_text(weights)

        publish(made.adapters(name), "generator", fill, base_digest="b", data_digest=weights, config={}, metrics={})
    tasks = made.benchmark.sample(8, split="dev")
    agent = roles([], Manner())["generator"]
    right = made.measured("b", lambda: solo(agent(Scripted(["b"] * 8))), tasks)
    wrong = made.measured("c", lambda: solo(agent(Scripted(["c"] * 8))), tasks)
    pair = (right, wrong) if promoted else (wrong, right)
    assert made.gate("gate", lambda: better(*pair), "new").promoted is promoted
    entry = read_manifest(made.adapters("standing")).policies["generator"]
    folder = bind(made.adapters("standing"))["generator"].folder
    assert (folder / "adapter_model.safetensors").read_text() == ("new" if promoted else "old")
    assert entry.version == (2 if promoted else 1)
    if promoted:
        assert entry.metrics["gate_n"] == 8
        assert entry.metrics["gate_p"] == pytest.approx(1 / 256)
        assert entry.config["replaces"] == "generator@1"
        assert (made.adapters("standing") / "generator@1").is_dir()
    again = loop(tmp_path)
    assert again.gate("gate", lambda: better(right, right), "new").promoted is promoted, "decided once"


def test_a_policy_without_an_adapter_speaks_with_the_base(tmp_path: Path) -> None:
    made = loop(tmp_path)
    for name, policies in (("sft", CHAIN), ("dpo", CHAIN[1:])):
        for policy in policies:

            def fill(folder: Path) -> None:
                (folder / "adapter_model.safetensors").write_text("w")

            publish(made.adapters(name), policy, fill, base_digest="b", data_digest="d", config={}, metrics={})
    assert [bool(policy.adapter) for policy in made.policies(CHAIN, "sft").values()] == [True, True, True]
    assert [bool(policy.adapter) for policy in made.policies(CHAIN, "dpo").values()] == [False, True, True]
    assert not any(policy.adapter for policy in made.policies(CHAIN, STANDING).values()), "nothing has passed the gate"
    with pytest.raises(BadData, match="absent"):
        made.policies(CHAIN, "absent")
    assert not any(policy.adapter for policy in made.policies(CHAIN).values())


@pytest.mark.parametrize(
    ("given", "processes", "each"),
    [(None, 1, 6), (None, 4, 1), (None, 9, 1), ("1", 1, 1), ("3", 2, 3), ("0", 2, 3), ("two", 1, 6)],
)
def test_threads_are_those_a_person_has_set_or_the_cores(
    given: str | None, processes: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many wait for each other: several trainings side by side are then slower than one after another."""
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert _launch.threads(processes) == each


@pytest.mark.parametrize("given", ["1", "2"])
def test_a_launched_recipe_has_the_threads_that_were_set(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accelerate puts what it is told in the place of what was set."""
    told = list[list[str]]()

    class Child:
        returncode, stdout = 0, None

        def __init__(self, command: list[str], **_: object) -> None:
            told.append(command)

        def __enter__(self) -> Child:
            return self

        def __exit__(self, *_: object) -> None: ...

        def communicate(self) -> tuple[str, None]:
            return '{"steps": 1}\n', None

    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(_launch.subprocess, "Popen", Child)
    assert _launch.accelerated("sft", [], 1) == {"steps": 1}
    (command,) = told
    assert command[command.index("--num_cpu_threads_per_process") + 1] == given


def test_the_exit_code_of_a_recipe_is_told() -> None:
    assert _launch.told("sft", 0, 'noise\n{"steps": 3}\n') == {"steps": 3}
    with pytest.raises(RunFailed, match=r"training/sft\.py ended with exit code 2"):
        _launch.told("sft", 2, "")
    with pytest.raises(KeyboardInterrupt):
        _launch.told("sft", 130, "")


class Leaking:
    """A benchmark whose training split asks what its test split asks."""

    name, chance = "leaking", 0.0

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        first = {"train": 0, "dev": 50, "test": 2}[split]
        return [Task(f"{split}/{i}", f"Question {i}?", "x") for i in range(first, first + n)]

    def score(self, task: Task, text: str | None) -> Score:
        return Score(0.0, 0.0, True)


def test_a_training_task_that_is_held_out_is_refused(tmp_path: Path) -> None:
    made = Loop(tmp_path, "scripted", Leaking(), 0, lambda *_: None)  # type: ignore[arg-type]
    options = Namespace(items=5, dev=2, n=2, seed=0, level=1)
    with pytest.raises(BadData, match="expected training and evaluation tasks to be disjoint, got 2"):
        _loop.drawn(made, options, shown=0, rounds=1)
    assert len(_loop.drawn(made, Namespace(**{**vars(options), "items": 2}), shown=0, rounds=1).training) == 2


def test_examples_are_no_training_tasks(tmp_path: Path) -> None:
    options = Namespace(items=4, dev=2, n=2, seed=0, level=1)
    tasks = _loop.drawn(loop(tmp_path), options, shown=3, rounds=2)
    assert (len(tasks.shown), len(tasks.training)) == (3, 8)
    assert not {task.id for task in tasks.shown} & {task.id for task in tasks.training}


@pytest.mark.parametrize("recipe", [malt, optima, agentevol])
def test_what_cannot_be_used_is_refused_in_one_line(
    recipe: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nothing.py").write_text("x = 1\n")
    cases = [
        (("--items", "0"), "expected --items >= 1, got 0"),
        (("--dev", "1"), "expected --dev >= 2"),
        (("--benchmark", "arit"), "unknown benchmark 'arit'; did you mean 'arith'?"),
        (("--benchmark", str(tmp_path / "nothing.py")), "has nothing called 'nothing'"),
        (("--benchmark", str(tmp_path / "absent.py")), "expected a Python file"),
        (("--model", "tinny"), "unknown model 'tinny'; did you mean 'tiny'?"),
        (("--sft", "'"), "expected options as a shell reads them"),
        (("--launch", "there"), "invalid choice: 'there'"),
    ]
    for number, (given, message) in enumerate(cases):
        out = ["--out", str(tmp_path / f"out{number}"), "--benchmark", LETTERS, "--model", "tiny", "--n", "2"]
        assert recipe.main([*out, *given]) == 2, message
        printed = capsys.readouterr()
        assert message in printed.err
        assert printed.err.count("\n") == 1, printed.err
        assert printed.out == ""


@pytest.mark.parametrize("branch", ["4,3", "0", "x", "4,3,2"])
def test_draws_are_one_number_or_three(branch: str) -> None:
    with pytest.raises(BadInput, match="expected one number of draws, or three"):
        malt.parse(["--branch", branch])


def test_several_processes_would_each_run_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInput, match="fix: malt --processes N"):
        _loop.begin("malt", malt.parse(["--out", str(tmp_path)]), lambda *_: None)


def test_a_folder_keeps_to_the_options_that_it_was_begun_with(tmp_path: Path) -> None:
    given = ["--out", str(tmp_path), "--benchmark", LETTERS]
    _loop.begin("malt", malt.parse(given), lambda *_: None)
    _loop.begin("malt", malt.parse([*given, "--json", "--processes", "2"]), lambda *_: None)
    with pytest.raises(BadInput, match='items was "240", is "3"'):
        _loop.begin("malt", malt.parse([*given, "--items", "3"]), lambda *_: None)
    with pytest.raises(BadInput, match="was started with another spec"):
        _loop.begin("optima", optima.parse(given), lambda *_: None)


def test_no_benchmark_of_that_name() -> None:
    with pytest.raises(UnknownName):
        _options.benchmark("arith2")
    assert _options.benchmark("arith:gcd").name == "arith:gcd"


def test_the_forecast_counts_every_call(tmp_path: Path) -> None:
    """Two draws of each: 2 + 4 + 8 calls a task in a whole tree; with contrast 2, and 2 x (2 + 4) of one task."""
    given = ["--out", str(tmp_path), "--items", "6", "--n", "4", "--dev", "8", "--vote", "3", "--branch", "2"]
    measured = 4 * (2 + 4 * 3) + 2 * 8
    for contrast, calls in ((0, 6 * 14), (1, 6 * 2 + 12), (50, 6 * 2 + 6 * 12)):
        options = malt.parse([*given, "--contrast", str(contrast)])
        made = loop(tmp_path)
        team = malt.Malt(made, options, _loop.drawn(made, options, shown=3, rounds=1))
        assert team.passes() == calls / 3 + measured
