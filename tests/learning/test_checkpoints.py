"""Checkpoints after a SIGKILL anywhere, and beside files that are not what was saved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from orchestra.errors import Unavailable
from orchestra.learning.checkpoints import MANIFEST, newest, save
from tests.learning.crashing import FACTS, checkpoint, found

ROOT = Path(__file__).resolve().parents[2]
KILLED = -9
FIX = "the first run's options"


def told(folder: Path, facts: Mapping[str, object] = FACTS) -> tuple[int, list[str]]:
    lines: list[str] = []
    made = newest(folder, facts, lines.append)
    return len(made.curve) if made else 0, lines


def deaths(where: str, folder: Path) -> list[dict[str, int]]:
    command = [sys.executable, "-m", "tests.learning.crashing", where, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made: list[dict[str, int]] = json.loads(done.stdout)
    return made


def check(death: dict[str, int]) -> None:
    """Nothing that was acknowledged is lost, nothing torn is found, and the folder is clean after the next save."""
    assert death["told"] <= death["found"] <= death["told"] + 1
    assert death["after"] == 4
    assert death["left"] == (2 if death["found"] else 1)  # folders of checkpoints; no part of a file


def test_a_kill_at_any_named_point_costs_at_most_the_save_in_hand(tmp_path: Path) -> None:
    died = deaths("points", tmp_path)
    assert [each["status"] for each in died] == [KILLED] * 27
    assert {each["told"] for each in died} == {0, 1, 2}
    for each in died:
        check(each)


@pytest.mark.slow
def test_a_kill_at_any_line_costs_at_most_the_save_in_hand(tmp_path: Path) -> None:
    died = deaths("lines", tmp_path)
    assert [each["status"] for each in died].count(0) == 2  # whose line was past the end
    assert len(died) > 100
    for each in died:
        check(each)


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path, checkpoint(step), FACTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
    assert found(tmp_path) == 3


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("harm", [cut, flip, Path.unlink], ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("name", ["adapter.safetensors", "optimiser.safetensors", MANIFEST])
def test_a_damaged_one_is_passed_over_with_a_line(tmp_path: Path, name: str, harm: Callable[[Path], None]) -> None:
    for step in (1, 2):
        save(tmp_path, checkpoint(step), FACTS)
    harm(tmp_path / "step-00000002" / name)
    step, lines = told(tmp_path)
    assert step == 1
    if (name, harm) == (MANIFEST, Path.unlink):
        assert lines == []  # as a save that was cut short
    else:
        (line,) = lines
        assert line.startswith("step-00000002 is left out: ")
        assert name in line


def test_another_training_is_told_apart(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1), {"data": "d", "lr": 0.1})
    assert told(tmp_path, {"data": "d", "lr": 0.1}) == (1, [])
    assert told(tmp_path, {"data": "d", "lr": 0.2}) == (
        0,
        ["step-00000001 is left out: expected the same training, got another: lr was 0.1, now 0.2; fix: " + FIX],
    )


def test_a_folder_that_takes_no_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    with pytest.raises(Unavailable, match=r"cannot make .*; fix: free space or choose another folder"):
        save(tmp_path / "in the way" / "checkpoints", checkpoint(1), FACTS)
