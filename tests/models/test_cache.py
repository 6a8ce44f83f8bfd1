"""A folder under its final name is whole, whoever dies, races or runs out of disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

import orchestra
from orchestra.errors import Unavailable
from orchestra.models import cache

NAMES = ["a.txt", "b.txt"]


def make(folder: Path, scratch: Path) -> None:
    for name in NAMES:
        (folder / name).write_text(f"content of {name}")
    (scratch / "download").write_text("thrown away")


def silent(stage: str, done: int, total: int) -> None: ...


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRA_CACHE", str(tmp_path))
    return tmp_path / "models"


def ensure(made=make, needs=0, report=silent) -> Path:
    return cache.ensure("m", made, needs=needs, report=report)


def child(making: str, home: Path) -> subprocess.Popen:
    """Another Python that ensures the same folder, filled by the statements `making`, and prints its path."""
    environment = os.environ | {
        "ORCHESTRA_CACHE": str(home.parent),
        "PYTHONPATH": str(Path(orchestra.__file__).parents[1]),
    }
    code = f"""
import time
from orchestra.models import cache
def make(folder, scratch): {making}
print(cache.ensure("m", make, needs=0, report=print))
"""
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)


def leftovers(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir() if path.name not in ("m", ".m.lock"))


def test_it_is_made_once_and_verifies(home):
    folder = ensure()
    assert folder == home / "m"
    assert sorted(path.name for path in folder.iterdir()) == ["MANIFEST.json", *NAMES]
    assert cache.faults(folder, deep=True) == []
    assert leftovers(home) == []

    def never(folder: Path, scratch: Path) -> None:
        raise AssertionError("made twice")

    assert ensure(never) == folder


def test_the_manifest_holds_size_and_sha256(home):
    entry = json.loads((ensure() / "MANIFEST.json").read_text())["files"]["a.txt"]
    # printf 'content of a.txt' | sha256sum
    known = "fe599a5727285b6a0318a50aace211016346c5a82c4aed1614bd3dc03026a2c6"
    assert entry == {"size": 16, "sha256": known}


DAMAGE = {
    "missing": lambda folder: (folder / "a.txt").unlink(),
    "bytes, not 16": lambda folder: (folder / "a.txt").write_text("short"),
    "missing or unreadable": lambda folder: (folder / "MANIFEST.json").unlink(),
    "is missing or unreadable": lambda folder: (folder / "MANIFEST.json").write_text('{"schema": 1, "files": {"a'),
    "m/MANIFEST.json is missing": lambda folder: (folder / "MANIFEST.json").write_text('{"schema": 1, "files": [1]}'),
    "schema 2, not 1": lambda folder: (folder / "MANIFEST.json").write_text('{"schema": 2, "files": {}}'),
}


@pytest.mark.parametrize("said", DAMAGE)
def test_a_damaged_folder_is_named_and_made_again(home, said):
    folder = ensure()
    DAMAGE[said](folder)
    [fault] = cache.faults(folder)
    assert said in fault
    assert cache.faults(ensure(), deep=True) == []
    assert leftovers(home) == []


def test_equal_size_is_seen_through_only_by_the_deep_check(home):
    folder = ensure()
    (folder / "a.txt").write_text("Content of a.txt")
    assert cache.faults(folder) == []
    [fault] = cache.faults(folder, deep=True)
    assert "a.txt was altered" in fault


def test_a_file_in_the_place_of_the_folder_gives_way(home):
    home.mkdir()
    (home / "m").write_text("no folder")
    assert cache.faults(ensure()) == []


def test_what_make_raises_passes_and_leaves_nothing(home):
    def fail(folder: Path, scratch: Path) -> None:
        make(folder, scratch)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ensure(fail)
    assert not (home / "m").exists()
    assert leftovers(home) == []


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_told_with_size_and_place(home, full):
    def fill(folder: Path, scratch: Path) -> None:
        make(folder, scratch)
        raise OSError(full, os.strerror(full))

    with pytest.raises(Unavailable, match=r"needs 7 MB free in .*models; fix: .*ORCHESTRA_CACHE"):
        ensure(fill, needs=7_000_000)
    assert not (home / "m").exists()
    assert leftovers(home) == []


def test_a_full_disk_is_refused_before_any_work(home):
    def never(folder: Path, scratch: Path) -> None:
        raise AssertionError("began")

    with pytest.raises(Unavailable, match="no room to make m"):
        ensure(never, needs=10**18)


def test_a_cache_that_is_no_folder_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ORCHESTRA_CACHE", str(tmp_path / "file"))
    with pytest.raises(Unavailable, match="cannot be written"):
        ensure()


def test_other_errors_of_the_system_are_not_disguised(home):
    def fail(folder: Path, scratch: Path) -> None:
        raise OSError(errno.EIO, "I/O error")

    with pytest.raises(OSError, match="I/O error"):
        ensure(fail)


def test_everything_is_on_disk_before_the_rename_and_the_parent_after(home, monkeypatch):
    told: list[object] = []
    rename = Path.rename
    monkeypatch.setattr(os, "fsync", lambda handle: told.append(os.fstat(handle).st_ino))
    monkeypatch.setattr(Path, "rename", lambda path, target: (told.append("rename"), rename(path, target))[1])
    folder = ensure()
    written = [(folder / name).stat().st_ino for name in (*NAMES, "MANIFEST.json")]
    assert told == [*written, folder.stat().st_ino, "rename", home.stat().st_ino]


def test_a_killed_maker_leaves_no_trace(home):
    process = child("(folder / 'a.txt').write_text('half'); print('ready', flush=True); time.sleep(600)", home)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (home / "m").exists()
    assert len(leftovers(home)) == 1, "the kill came in the middle"
    assert cache.faults(ensure(), deep=True) == []
    assert leftovers(home) == []


def test_of_four_processes_one_makes(home):
    making = "print('made', flush=True); (folder / 'a.txt').write_text('whole'); time.sleep(0.2)"
    processes = [child(making, home) for _ in range(4)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert "".join(said).count("made") == 1
    assert all(line.endswith(f"{home / 'm'}\n") for line in said)


def test_who_waits_for_another_is_told(home):
    home.mkdir()
    waits, stages = threading.Event(), []
    lock = FileLock(home / ".m.lock")
    lock.acquire()

    def report(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        waits.set()

    second = threading.Thread(target=ensure, kwargs={"report": report})
    second.start()
    assert waits.wait(60)
    assert not (home / "m").exists()
    lock.release()
    second.join()
    assert stages == ["wait for another process that makes m"]
    assert cache.faults(home / "m") == []


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ORCHESTRA_CACHE", "~/x")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.root() == tmp_path / "x"
    monkeypatch.delenv("ORCHESTRA_CACHE")
    assert cache.root() == tmp_path / ".cache" / "orchestra"
