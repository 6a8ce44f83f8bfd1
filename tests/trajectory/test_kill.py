"""kill -9 at random moments: whatever was acknowledged is there, once, and right; nothing else is invented."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from orchestra.trajectory.reader import Reader
from orchestra.trajectory.store import open_run
from orchestra.types import Key
from tests.trajectory.appender import entry

ROOT = Path(__file__).parents[2]


class Killer:
    """Starts appenders, kills them, and knows what they acknowledged."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.trajectory.appender"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        self.pids: dict[str, int] = {}
        self.acknowledged: dict[str, int] = {}

    def start(self, name: str, file: Path, first: int) -> None:
        self._send(f"start {name} {file} {first}")
        while name not in self.pids:
            self._hear()

    def kill(self, name: str) -> None:
        os.kill(self.pids[name], signal.SIGKILL)
        self._send(f"reap {name}")
        while name in self.pids:
            self._hear()

    def wait(self, name: str, number: int) -> None:
        while self.acknowledged.get(name, -1) < number:
            self._hear()

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")

    def _hear(self) -> None:
        assert self.process.stdout is not None
        name, word, number = self.process.stdout.readline().split()
        if word == "pid":
            self.pids[name] = int(number)
        elif word == "ack":
            self.acknowledged[name] = int(number)
        else:
            del self.pids[name]


@pytest.fixture
def killer() -> Iterator[Killer]:
    killer = Killer()
    yield killer
    killer.close()


def check(file: Path, acknowledged: int) -> int:
    """Asserts that the file holds effects 0..N without a gap, each right and once, N >= acknowledged; returns N + 1."""
    with closing(Reader(file)) as reader:
        found = {key.draw: reader.entry("run", key) for key in reader.keys("run")}
    assert sorted(found) == list(range(len(found)))
    assert len(found) > acknowledged
    assert all(found[number] == entry(number) for number in found)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM effects").fetchone() == (len(found),)
    return len(found)


@pytest.mark.parametrize("kills", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_kill_9(killer: Killer, tmp_path: Path, kills: int) -> None:
    file, random, there = tmp_path / "journal-main.sqlite", Random(9), 0
    for _ in range(kills):
        killer.start("a", file, there)
        killer.wait("a", there + random.randrange(25))
        killer.kill("a")
        there = check(file, killer.acknowledged["a"])
    assert there > 10 * kills


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_four_writers_of_one_folder_lose_nothing(killer: Killer, tmp_path: Path, rounds: int) -> None:
    files = {name: tmp_path / f"journal-{name}.sqlite" for name in "abcd"}
    random, there = Random(8), dict.fromkeys(files, 0)
    for _ in range(rounds):
        for name, file in files.items():
            killer.start(name, file, there[name])
        for name in random.sample(list(files), 4):  # each goes down while the others write
            killer.wait(name, there[name] + random.randrange(25))
            killer.kill(name)
        there = {name: check(file, killer.acknowledged[name]) for name, file in files.items()}
    with open_run(tmp_path, create=True) as run:
        union = run.journal("run")
        assert all(union.get(Key("s", number)) == entry(number) for number in range(max(there.values())))


def test_a_live_owner_can_be_read_beside(killer: Killer, tmp_path: Path) -> None:
    file = tmp_path / "journal-main.sqlite"
    killer.start("a", file, 0)
    killer.wait("a", 60)
    with closing(Reader(file)) as reader:
        before = len(reader.keys("run"))
        assert before > 60
        killer.wait("a", before + 30)
        assert len(reader.keys("run")) > before + 30
    killer.kill("a")
    check(file, killer.acknowledged["a"])


def test_the_check_can_fail(killer: Killer, tmp_path: Path) -> None:
    file = tmp_path / "journal-main.sqlite"
    killer.start("a", file, 0)
    killer.wait("a", 30)
    killer.kill("a")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM effects WHERE draw = 20")
    with pytest.raises(AssertionError):
        check(file, killer.acknowledged["a"])
