"""Torn and altered files: what opens is right, or the file is named as damaged. Never wrong data, no silent gap.

In the slow set each of the four (journal and shards, truncated and flipped) is done 500 times.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from orchestra.errors import BadData, Damaged
from orchestra.trajectory.codec import dump
from orchestra.trajectory.shards import Shards, seal
from orchestra.trajectory.sqlite import SqliteLog
from orchestra.trajectory.store import open_run
from orchestra.types import Key
from tests.trajectory import records
from tests.trajectory.appender import entry

Damage = Callable[[Path, Random], None]

COUNT = 60
EFFECTS = {Key("s", number): entry(number) for number in range(COUNT)}
TEXTS = {name: dump(records.tree(name)) for name in ("t-1", "t-2")}


def write(folder: Path) -> None:
    """COUNT effects in commits of three, and two trajectories; `copy` holds the files as they were before the close."""

    async def scene(log: SqliteLog) -> None:
        journal = log.journal("run")
        for name in TEXTS:
            log.add(records.tree(name))
        for key, one in EFFECTS.items():
            journal.put(key, one)
            if key.draw % 3 == 2:
                await journal.flushed()

    with SqliteLog(folder / "journal-main.sqlite") as log:
        asyncio.run(scene(log))
        (folder / "copy").mkdir()
        for name in ("journal-main.sqlite", "journal-main.sqlite-wal"):
            shutil.copy(folder / name, folder / "copy" / name)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything is in the database file."""
    folder = tmp_path_factory.mktemp("damage")
    write(folder)
    return folder / "journal-main.sqlite"


@pytest.fixture(scope="module")
def unclean(closed: Path) -> Path:
    """As a killed owner leaves it: everything is in the write-ahead log."""
    return closed.parent / "copy" / "journal-main.sqlite"


def draws(file: Path) -> list[int]:
    """The effects that are read, after comparing each with what was written; the trajectories are compared too."""
    with SqliteLog(file) as log:
        keys = sorted(log.reader.keys("run"))
        assert all(log.journal("run").get(key) == EFFECTS.get(key) for key in keys)
        assert dict(log.reader.trajectories()).items() <= TEXTS.items()
    return [key.draw for key in keys]


def copied(file: Path, folder: Path) -> Path:
    for part in file.parent.glob(file.name + "*"):
        if not part.name.endswith((".lock", "-shm")):
            shutil.copy(part, folder / part.name)
    return folder / file.name


def truncated(path: Path, random: Random) -> None:
    with path.open("rb+") as file:
        file.truncate(random.randrange(path.stat().st_size))


def flipped(path: Path, random: Random) -> None:
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def test_undamaged_files_are_read_whole(closed: Path, unclean: Path, tmp_path: Path) -> None:
    assert draws(closed) == list(range(COUNT))
    assert draws(copied(unclean, tmp_path)) == list(range(COUNT))


@pytest.mark.parametrize("cuts", [30, pytest.param(500, marks=pytest.mark.slow)])
def test_a_torn_log_leaves_a_prefix_of_whole_commits(unclean: Path, tmp_path: Path, cuts: int) -> None:
    random = Random(1)
    lengths = set()
    for _ in range(cuts):
        file = copied(unclean, tmp_path)
        truncated(file.with_name(file.name + "-wal"), random)
        found = draws(file)
        assert found == list(range(len(found)))
        assert len(found) % 3 == 0
        lengths.add(len(found))
    assert len(lengths) > 5


@pytest.mark.parametrize("times", [30, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("damage", [truncated, flipped])
def test_damage_to_the_file_is_harmless_or_named(closed: Path, tmp_path: Path, damage: Damage, times: int) -> None:
    random = Random(2)
    refusals = []
    for _ in range(times):
        file = copied(closed, tmp_path)
        damage(file, random)
        try:
            assert draws(file) == list(range(COUNT))
        except (Damaged, BadData) as error:
            refusals.append(str(error))
    assert len(refusals) > times / 3
    assert all(str(tmp_path / closed.name) in refusal for refusal in refusals)


@pytest.mark.parametrize("flips", [30, pytest.param(500, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_the_log_costs_at_most_the_commits_after_it(unclean: Path, tmp_path: Path, flips: int) -> None:
    random = Random(3)
    shorter = 0
    for _ in range(flips):
        file = copied(unclean, tmp_path)
        flipped(file.with_name(file.name + "-wal"), random)
        found = draws(file)
        assert found == list(range(len(found)))
        shorter += len(found) < COUNT
    assert shorter > flips / 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE effects SET outcome = replace(outcome, 'x', 'y') WHERE draw = 7", "effect s/7 of run 'run'"),
        ("UPDATE effects SET draw = 700 WHERE draw = 7", "effect s/700 of run 'run'"),
        ("UPDATE effects SET digest = x'00' WHERE draw = 7", "effect s/7 of run 'run'"),
        ("UPDATE trajectories SET json = replace(json, '12', '13') WHERE id = 't-2'", "trajectory 't-2'"),
    ],
)
def test_an_altered_row_is_named(closed: Path, tmp_path: Path, change: str, message: str) -> None:
    file = copied(closed, tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(change)
    with pytest.raises(Damaged, match=message) as raised:
        draws(file)
    assert str(file) in str(raised.value)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with four shards and their manifest."""
    folder = tmp_path_factory.mktemp("sealed") / "run"
    for name in TEXTS:
        with open_run(folder, create=True) as run:
            run.add(records.tree(name))
        seal(folder)
    return folder


@pytest.mark.parametrize("times", [60, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("damage", [truncated, flipped])
def test_damage_to_shards_and_manifest_is_harmless_or_named(
    sealed: Path, tmp_path: Path, damage: Damage, times: int
) -> None:
    random = Random(6)
    refused = set()
    for time in range(times):
        folder = shutil.copytree(sealed, tmp_path / str(time))
        path = random.choice([folder / "shards" / "MANIFEST.json", *sorted(folder.glob("shards/*.arrow"))])
        before = path.read_bytes()
        damage(path, random)
        if said := refusal(folder):
            assert str(path) in said
            refused.add(path.name)
        else:  # a shard of decisions, which is there for others to read, or the end of the manifest's line
            assert path.name.startswith("decisions") or path.read_bytes()[:-1] == before[:-1]
        with open_run(folder) as run:  # the journals still have what was sealed
            assert [dict(source.trajectories()) for source in run._sources()] == [TEXTS]
    assert refused >= {"MANIFEST.json", "trajectories-00000.arrow", "trajectories-00001.arrow"}


def refusal(folder: Path) -> str:
    """Why its shards could not be read; empty if they were, and were right."""
    try:
        found = dict(Shards(folder).trajectories())
    except (Damaged, BadData) as error:
        return str(error)
    assert found == TEXTS
    return ""
