"""The run folder: resumed only as it was started, every trajectory once, annotations beside them."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestra.errors import BadData, BadInput, Damaged, Unavailable, UnknownName
from orchestra.trajectory.journal import Entry
from orchestra.trajectory.shards import seal
from orchestra.trajectory.store import AnnotationRow, open_run
from orchestra.types import Key
from tests.trajectory import records

SPEC = {"command": "collect", "seed": 7, "team": {"digest": "ab", "agents": ["x", "y"]}}


class Table(NamedTuple):
    producer: str
    config: str
    rows: dict[Key, AnnotationRow]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "one"


def test_a_run_is_resumed_with_its_spec(folder: Path) -> None:
    open_run(folder, create=True, spec=SPEC).close()
    with open_run(folder, create=True, spec=SPEC) as run:
        assert run.spec == {"command": "collect", "seed": 7, "team": {"digest": "ab", "agents": ["x", "y"]}}
    with open_run(folder) as run:
        assert run.spec["seed"] == 7


def test_another_spec_is_refused_showing_the_fields(folder: Path) -> None:
    open_run(folder, create=True, spec=SPEC).close()
    other = {"command": "collect", "team": {"digest": "cd", "agents": ["x", "y"]}, "n": 3}
    with pytest.raises(BadInput) as raised:
        open_run(folder, spec=other)
    assert 'n was absent, is 3, seed was 7, is absent, team.digest was "ab", is "cd"' in str(raised.value)


def test_a_folder_without_a_run_is_refused_and_not_made(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"no run\.json"):
        open_run(folder)
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot make"):
        open_run(tmp_path / "file" / "run", create=True)


def test_a_resumed_run_answers_from_its_journal(folder: Path) -> None:
    with open_run(folder, create=True) as run:
        journal = run.journal("t-1")
        journal.put(Key("s"), Entry("d", None, "said"))
        asyncio.run(journal.flushed())
    with open_run(folder) as run:
        entry = run.journal("t-1").get(Key("s"))
        assert entry is not None
        assert entry.outcome == "said"
        assert run.journal("t-2").get(Key("s")) is None


def test_writers_side_by_side_are_read_as_one(folder: Path) -> None:
    with open_run(folder, create=True, writer="rank0") as first, open_run(folder, writer="rank1") as second:
        first.journal("shared").put(Key("s"), Entry("d", None, "said by rank0"))
        for run, names in ((first, ["c", "a"]), (second, ["b", "a"])):
            for name in names:
                run.add(records.tree(name))
            asyncio.run(run.flushed())
        entry = second.journal("shared").get(Key("s"))
        assert entry is not None
        assert entry.outcome == "said by rank0"
        assert [t.id for t in first.trajectories()] == ["a", "b", "c"] == [t.id for t in second.trajectories()]
        assert first.get("b") == records.tree("b")
        assert first.get("z") is None


def test_the_same_writer_twice_is_refused_and_a_reader_is_not(folder: Path) -> None:
    with open_run(folder, create=True) as run, open_run(folder) as other:
        run.add(records.tree())
        asyncio.run(run.flushed())
        assert other.get("tree-1") == records.tree()
        with pytest.raises(Unavailable, match="is being written by process"):
            other.journal("t-1")


def test_reading_writes_no_journal(folder: Path) -> None:
    with open_run(folder, create=True) as run:
        assert list(run.trajectories()) == []
        assert run.get("t") is None
        asyncio.run(run.flushed())
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_sealed_and_unsealed_trajectories_are_read_as_one(folder: Path) -> None:
    with open_run(folder, create=True) as run:
        for batch in (["b", "d"], ["a", "c"]):
            for name in batch:
                run.add(records.tree(name))
            asyncio.run(run.flushed())
            if "b" in batch:
                seal(folder)
        assert [t.id for t in run.trajectories()] == ["a", "b", "c", "d"]
    for path in folder.glob("journal-*"):
        path.unlink()  # shards alone are a run too
    with open_run(folder) as run:
        assert list(run.trajectories()) == [records.tree("b"), records.tree("d")]
        assert run.get("d") == records.tree("d")


ROWS = {Key("A", 0): AnnotationRow(0.5, 0.1, -1 / 3, "A"), Key("A", 1): AnnotationRow(None)}


def test_annotations_round_trip_by_run_and_key(folder: Path) -> None:
    with open_run(folder, create=True) as run:
        run.annotate("chain", {"t-1": Table("chain", "gamma=0.9", ROWS), "t-2": Table("chain", "gamma=0.9", {})})
        assert run.annotations("chain") == {"t-1": ROWS, "t-2": {}}
        assert run.annotations("chain", "gamma=0.9")["t-1"][Key("A", 1)].value is None
        with pytest.raises(BadInput, match=r"made with 'gamma=0\.9', not with 'gamma=1'"):
            run.annotations("chain", "gamma=1")
        run.annotate("chain", {"t-1": Table("chain", "gamma=1", {})})
        assert run.annotations("chain", "gamma=1") == {"t-1": {}}


def test_annotations_that_cannot_be_kept_are_refused(folder: Path) -> None:
    with open_run(folder, create=True) as run:
        for tables, error in [
            ({"t": Table("other", "", {})}, BadInput),
            ({"t": Table("chain", "a", {}), "u": Table("chain", "b", {})}, BadInput),
            ({"t": Table("chain", "", {Key("A"): AnnotationRow(math.nan)})}, BadData),
        ]:
            with pytest.raises(error):
                run.annotate("chain", tables)
        with pytest.raises(BadInput, match="names a file"):
            run.annotate("../chain", {})
        run.annotate("chain", {})
        with pytest.raises(UnknownName, match="did you mean 'chain'"):
            run.annotations("chian")


def test_an_altered_file_is_named(folder: Path) -> None:
    with open_run(folder, create=True, spec=SPEC) as run:
        run.annotate("chain", {"t-1": Table("chain", "", ROWS)})
        path = folder / "annotations" / "chain.json"
        path.write_text(path.read_text().replace("0.5", "0.6"))
        with pytest.raises(Damaged, match=str(path)):
            run.annotations("chain")
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"body": {"seed": 8}}))
    with pytest.raises(Damaged, match=r"run\.json does not match its checksum"):
        open_run(folder)
