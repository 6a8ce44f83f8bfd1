"""A crash at every named point: what was acknowledged is there, and the run goes on to the same end."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import orchestra
from orchestra import faults
from orchestra.contracts.topology import wavering
from orchestra.errors import BadInput, UnknownName
from orchestra.models.scripted import Scripted
from orchestra.trajectory.journal import MemoryJournal
from orchestra.trajectory.shards import Shards
from orchestra.trajectory.store import AnnotationRow, open_run
from orchestra.trajectory.trajectory import Trajectory
from tests.faults import scenes
from tests.faults.judge import KILLED, Story, check_death, journaled
from tests.faults.nursery import ROOT, Job, Nursery

SOURCES = [path for path in Path(orchestra.__file__).parent.rglob("*.py") if path.name != "faults.py"]


def whole() -> list[Trajectory]:
    """The trees of an uninterrupted life, grown in memory."""
    model = Scripted(wavering)
    return [asyncio.run(scenes.tree(task, model, MemoryJournal())) for task in scenes.TASKS]


WHOLE = {made.id: made for made in whole()}


def passed_at(source: str) -> list[str]:
    return re.findall(r'(?<!\w)point\(\s*"([^"]*)"', source)


def test_every_point_of_the_source_has_a_name_and_every_name_a_point() -> None:
    found = Counter(name for path in SOURCES for name in passed_at(path.read_text(encoding="utf-8")))
    assert found == Counter(faults.POINTS)  # each at one place
    assert passed_at('point("new.one")') == ["new.one"]


def step(nursery: Nursery, folder: Path, fault: str = "") -> tuple[int, Story]:
    """Lives in a run folder, up to the fault; checks what this left, and returns how it ended and its notes."""
    notes, before = folder.with_name(f"notes {fault}"), journaled(folder, "life")
    [status] = nursery.run(Job("life", {"folder": str(folder), "notes": str(notes)}, fault=fault))
    story = Story.read(notes)
    check_death(before, journaled(folder, "life"), story)
    check_whole(folder, story)
    return status, story


def check_whole(folder: Path, story: Story) -> None:
    """Every tree that a note says is kept is there and right; what was told to be annotated or sealed is."""
    if not (folder / "run.json").exists():
        assert not story.others
        return
    kept = [line.split()[1] for line in story.others if line.startswith("kept")]
    with open_run(folder) as run:
        found = {made.id: made for made in run.trajectories()}
        assert found == {name: WHOLE[name] for name in found}
        assert found.keys() >= set(kept)
        if "annotated" in story.others:
            tables = scenes.values(list(WHOLE.values()))
            rows = {name: {k: AnnotationRow(*row) for k, row in table.rows.items()} for name, table in tables.items()}
            assert run.annotations("nested_mean") == rows
    if "sealed" in story.others:
        assert [name for name, _ in Shards(folder).trajectories()] == sorted(WHOLE)


@pytest.mark.parametrize("most", [1, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("point", faults.POINTS)
def test_a_crash_at_any_passing_of_a_point_costs_nothing(
    nursery: Nursery, tmp_path: Path, point: str, most: int
) -> None:
    for passing in range(1, most + 1):
        folder = tmp_path / str(passing) / "run"
        folder.parent.mkdir()
        status, story = step(nursery, folder, f"{point}:{passing}")
        if status == 0:
            assert passing > 1, "the point was never passed"
            break
        assert status == KILLED
        status, story = step(nursery, folder)
        assert (status, sum(line.startswith("kept") for line in story.others)) == (0, len(WHOLE))


def test_a_journal_can_be_read_from_the_moment_it_has_its_name(nursery: Nursery, tmp_path: Path) -> None:
    status, _ = step(nursery, tmp_path / "run", "atomic.renamed:2")  # the first is run.json
    [file] = tmp_path.glob("run/journal-*.sqlite")
    assert status == KILLED
    assert file.read_bytes()[18:20] == b"\x02\x02"  # in WAL mode: a change of mode, cut short, is no reader's to undo


def ended(fault: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A process that begins with the fault in its environment, and writes three files."""
    code = "import sys; from pathlib import Path; from orchestra.atomic import write_atomic\n"
    code += "for name in 'abc': write_atomic(Path(sys.argv[1]) / name, b'x')"
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, env={**os.environ, faults.VARIABLE: fault}, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("fault", "status", "files"),
    [("", 0, "abc"), ("atomic.renamed:2", KILLED, "ab"), ("atomic.synced:3:exit", 137, "ab")],
)
def test_the_variable_is_read_when_the_process_begins(tmp_path: Path, fault: str, status: int, files: str) -> None:
    assert ended(fault, tmp_path).returncode == status
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".part") == list(files)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("writer.commited:1", UnknownName, "unknown crash point in ORCHESTRA_FAULT 'writer.commited'; did you mean"),
        ("writer.committed", BadInput, r"expected POINT:N or POINT:N:exit, N from 1; fix: writer.committed:1:kill"),
        ("writer.committed:0", BadInput, "N from 1"),
        ("writer.committed:1:stop", BadInput, "N from 1"),
    ],
)
def test_what_is_no_fault_is_refused_at_the_first_point(fault: str, error: type[Exception], message: str) -> None:
    faults.arm(fault)
    try:
        with pytest.raises(error, match=message):
            faults.point("atomic.written")
    finally:
        faults.arm("")
    faults.point("atomic.written")
