"""A recipe is found by name, gets its words untouched, and its one object and exit code become ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestra.cli import train

ROOT = Path(__file__).resolve().parents[2]

RECIPE = """
import json, sys
print("progress", file=sys.stderr)
{}
print(json.dumps({{"words": sys.argv[1:]}}))
"""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's process finds this checkout, installed or not."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def recipe(tmp_path: Path) -> Any:
    def write(body: str = "") -> str:
        (tmp_path / "recipe.py").write_text(RECIPE.format(body))
        return str(tmp_path / "recipe.py")

    return write


def test_the_command_is_accelerate_launch_with_the_file(orchestra, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def launched(command: list[str], *, captured: bool) -> tuple[int, str]:
        seen.append(command)
        return 0, '{"steps": 3}\n'

    monkeypatch.setattr(train, "_launched", launched)
    said = orchestra("train", "--cpu", "--processes", "2", "sft", "--trajectories", "r", "--json", "--help")
    assert said.json == {"steps": 3}
    (command,) = seen
    at = command.index("--config_file")  # not --cpu, of which accelerate starts one process whatever is asked for
    assert Path(command[at + 1]).name == "cpu2.yaml"
    assert command[at + 2 : at + 4] == ["--num_processes", "2"]
    assert Path(command[-5]).name == "sft.py" and Path(command[-5]).is_file()
    assert command[-4:] == ["--trajectories", "r", "--json", "--help"]


def test_one_object_is_relayed_and_the_rest_stays_on_stderr(orchestra, recipe) -> None:
    assert orchestra("train", "--json", recipe(), "-x", "1").json == {"words": ["-x", "1", "--json"]}


def test_the_exit_code_of_a_recipe_is_ours(orchestra, recipe) -> None:
    said = orchestra("train", "--json", recipe("sys.exit(130)"))  # the launcher's own would be 1
    assert (said.code, said.out) == (130, "")


@pytest.mark.parametrize("printed", ["", "hello\n", '{"steps": 3}\nhello\n', "[1]\n"])
def test_a_recipe_that_prints_no_object_failed(
    printed: str, orchestra, recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_launched", lambda command, captured: (0, printed))
    said = orchestra("train", "--json", recipe())
    assert (said.code, said.out) == (1, "")
    assert "no JSON object" in said.err


@pytest.mark.parametrize(("theirs", "ours"), [(1, 1), (2, 2), (-9, 1), (255, 1)])
def test_exit_codes_stay_those_of_the_contract(
    theirs: int, ours: int, orchestra, recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_launched", lambda command, captured: (theirs, ""))
    assert orchestra("train", recipe()).code == ours


def test_bad_arguments_of_the_recipe_itself_are_bad_input(orchestra) -> None:
    assert orchestra("train", "--json", "sft", "--trajectories", "absent", "--output", "o")[:2] == (2, "")


def test_ctrl_c_waits_for_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[bool] = []

    class Child:
        def __init__(self, *_: Any, **__: Any) -> None: ...
        def __enter__(self) -> Child:
            return self

        def __exit__(self, *_: object) -> None: ...
        def communicate(self) -> tuple[str, None]:
            raise KeyboardInterrupt

        def wait(self) -> None:
            waited.append(True)

    monkeypatch.setattr(subprocess, "Popen", Child)
    with pytest.raises(KeyboardInterrupt):
        train._launched(["x"], captured=True)
    assert waited == [True]


@pytest.mark.slow
def test_collect_then_train_then_eval_with_the_adapters(orchestra) -> None:
    common = ("--model", "tiny", "--max-tokens", "4", "--json")
    assert orchestra("collect", "chain", "arith", "--n", "4", "--branch", "2", "--out", "c", *common).code == 0
    words = ("sft", "--trajectories", "c", "--output", "a", "--model", "tiny", "--credit", "none", "--epochs", "1")
    trained = orchestra("train", *words, "--json").json
    assert {"output", "steps", "loss_first", "loss_last", "seconds"} <= trained.keys()
    said = orchestra("eval", "chain", "arith", "--n", "4", "--adapters", "a", *common)
    assert said.json["n"] == 4
    bound = json.loads(Path("a/manifest.json").read_text())["policies"].keys()
    assert "generator" in bound  # a verifier that never said yes or no has nothing to learn from
    for role in ("generator", "verifier", "refiner"):
        assert (f"policy {role!r}: the base model" in said.err) is (role not in bound)
