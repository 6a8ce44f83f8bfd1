"""A full disk, and no file descriptor left: one clear error, what was acknowledged is safe, and the run goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import scenes
from tests.faults.judge import Story, check_death, journaled
from tests.faults.nursery import ROOT, Job, Nursery
from tests.faults.test_points import WHOLE, check_whole


@pytest.mark.parametrize(
    ("limit", "spares"),
    [
        ("RLIMIT_NOFILE", range(1, 9)),
        ("RLIMIT_FSIZE", [5_000, 30_000, 40_000, 60_000, 90_000, 10_000_000]),
    ],
)
def test_a_limit_of_the_system_is_told_in_one_line_and_can_be_lifted(
    nursery: Nursery, tmp_path: Path, limit: str, spares: list[int]
) -> None:
    refused, progress = set[int](), set[int]()
    for spare in spares:
        folder = tmp_path / str(spare) / "run"
        folder.parent.mkdir()
        first = lived(nursery, folder, limit=limit, spare=spare)
        errors = [line for line in first.others if line.startswith("error")]
        if errors:
            [error] = errors
            refused.add(spare)
            assert error.startswith("error Unavailable ")
            assert str(folder) in error
            assert "fix: " in error
        progress.add(len(first.puts))
        again = lived(nursery, folder)
        assert not [line for line in again.others if line.startswith("error")]
        assert sum(line.startswith("kept") for line in again.others) == len(WHOLE)
    assert refused
    assert set(spares) - refused
    assert len(progress) > 1, "it always stopped at the same place"


def lived(nursery: Nursery, folder: Path, **limits: object) -> Story:
    notes, before = folder.with_name(f"notes-{len(limits)}"), journaled(folder, "life")
    [status] = nursery.run(Job("life", {"folder": str(folder), "notes": str(notes), **limits}))
    assert status == 0, "a child failed, see its traceback"
    story = Story.read(notes)
    check_death(before, journaled(folder, "life"), story)
    check_whole(folder, story)
    return story


def test_a_disk_without_space_is_told_and_the_run_goes_on_once_there_is_some(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: a small disk cannot be mounted")
    code = "import sys; from tests.faults.test_limits import on_a_small_disk; on_a_small_disk(sys.argv[1])"
    shell = 'mount -t tmpfs -o size=1m none "$1" || exit 77; exec "$0" -c "$2" "$1"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", shell, sys.executable]
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run([*command, str(disk), code], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"this system mounts no disk for users: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    refusals = done.stdout.splitlines()
    assert len(refusals) == 6
    assert all("Unavailable" in line and "fix: " in line for line in refusals)


def on_a_small_disk(place: str) -> None:
    """Lives on the disk with less and less of it taken by other files; says why it could not."""
    ballast, folder = Path(place) / "ballast", Path(place) / "run"
    for free in (2, 8, 30, 60, 120, 200):
        ballast.write_bytes(bytes((1 << 20) - (free << 10)))
        notes = Path(place).parent / f"notes-{free}"
        scenes.life(str(folder), str(notes), limit="disk")
        ballast.unlink()
        print(*(line for line in Story.read(notes).others if line.startswith("error")))
        before, notes = journaled(folder, "life"), notes.with_suffix(".again")
        scenes.life(str(folder), str(notes))
        story = Story.read(notes)
        check_death(before, journaled(folder, "life"), story)
        check_whole(folder, story)
        shutil.rmtree(folder)
