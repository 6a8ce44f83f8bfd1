"""Shards: what is sealed reads back equal, is memory-mapped by `datasets`, and is named when it was altered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from orchestra.errors import Damaged, Unavailable
from orchestra.trajectory import shards
from orchestra.trajectory.codec import load
from orchestra.trajectory.lock import Lock
from orchestra.trajectory.shards import Shards, seal
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory
from tests.trajectory import records


def collect(folder: Path, names: list[str], writer: str = "main") -> None:
    with open_run(folder, create=True, writer=writer) as run:
        for name in names:
            run.add(records.tree(name))
        asyncio.run(run.flushed())


def read(folder: Path) -> list[Trajectory]:
    return [load(text, Trajectory) for _, text in Shards(folder).trajectories()]


def test_sealed_trajectories_read_back_equal_in_order_and_each_once(tmp_path: Path) -> None:
    collect(tmp_path, ["c", "a"])
    assert [path.name for path in seal(tmp_path)] == ["trajectories-00000.arrow", "decisions-00000.arrow"]
    assert seal(tmp_path) == []
    collect(tmp_path, ["b", "a"], writer="other")
    assert [path.name for path in seal(tmp_path)] == ["trajectories-00001.arrow", "decisions-00001.arrow"]
    assert read(tmp_path) == [records.tree(name) for name in "abc"]
    assert Shards(tmp_path).trajectory("z") is None


def test_a_shard_ends_where_it_is_large_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 1)
    collect(tmp_path, ["a", "b", "c"])
    assert len(seal(tmp_path)) == 6
    assert read(tmp_path) == [records.tree(name) for name in "abc"]


def test_datasets_maps_the_exact_tokens(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="extra `data` is not installed")
    collect(tmp_path, ["a", "b"])
    trajectories, decisions = (datasets.Dataset.from_file(str(path)) for path in seal(tmp_path))
    assert trajectories.cache_files[0]["filename"].endswith("trajectories-00000.arrow")  # mapped, not copied
    assert trajectories["id"][:] == ["a", "b"]
    assert trajectories[0]["prompt"] == "What is 5 + 7?"
    assert trajectories[0]["answers"] == ["12", None]
    assert load(trajectories[1]["json"], Trajectory) == records.tree("b")
    expected = [(name, decision) for name in "ab" for decision in records.tree(name).decisions]
    assert len(decisions) == len(expected)
    for row, (name, decision) in zip(decisions, expected, strict=True):
        assert (row["trajectory"], row["state"], row["draw"]) == (name, *decision.key)
        said = decision.completion
        for field in ("prompt_ids", "output_ids", "mask", "logprobs"):
            assert row[field] == (None if said is None else list(getattr(said, field)))  # log-probs to the last bit
        assert row["error"] == decision.error
        assert row["truncated"] == (None if said is None else said.truncated)


def test_every_altered_byte_of_a_shard_is_noticed(tmp_path: Path) -> None:
    collect(tmp_path, ["a"])
    path = seal(tmp_path)[0]
    whole, random = path.read_bytes(), Random(4)
    for _ in range(40):
        at = random.randrange(len(whole))
        path.write_bytes(random.choice([whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]]))
        with pytest.raises(Damaged, match=str(path)):
            read(tmp_path)
    path.write_bytes(whole)
    assert read(tmp_path) == [records.tree("a")]
    path.unlink()
    with pytest.raises(Damaged, match="missing"):
        read(tmp_path)


def test_what_a_killed_seal_left_is_ignored_and_sealed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collect(tmp_path, ["a"])

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_record", killed)  # both shards are written, the manifest is not
        with pytest.raises(KeyboardInterrupt):
            seal(tmp_path)
    assert len(list((tmp_path / "shards").glob("*.arrow"))) == 2
    assert read(tmp_path) == []
    seal(tmp_path)
    assert read(tmp_path) == [records.tree("a")]


def test_two_seals_at_once_are_refused(tmp_path: Path) -> None:
    collect(tmp_path, ["a"])
    (tmp_path / "shards").mkdir()
    with Lock(tmp_path / "shards" / "MANIFEST.json"), pytest.raises(Unavailable, match="is being written by process"):
        seal(tmp_path)


def test_nothing_to_seal_makes_no_manifest(tmp_path: Path) -> None:
    open_run(tmp_path, create=True).close()
    assert seal(tmp_path) == []
    assert not (tmp_path / "shards" / "MANIFEST.json").exists()


def test_a_missing_extra_prints_its_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collect(tmp_path, ["a"])
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(Unavailable, match=r"pip install 'orchestra-teams\[data\]'"):
        seal(tmp_path)
