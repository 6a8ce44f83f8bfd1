"""Files that are whole or absent: a failed write changes nothing, a torn or altered record is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestra.atomic import fsync, read_record, replacing, write_atomic, write_record
from orchestra.errors import BadData, Damaged, Unavailable


def test_the_new_bytes_take_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(("raised", "seen"), [(ValueError, ValueError), (OSError, Unavailable)])
def test_a_failed_write_changes_nothing(tmp_path: Path, raised: type[Exception], seen: type[Exception]) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"old")

    def half() -> None:
        with replacing(path) as part:
            part.write_bytes(b"half")
            assert path.read_bytes() == b"old"
            raise raised("in the middle")

    with pytest.raises(seen):
        half()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_the_file_is_synced_before_it_gets_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, order = tmp_path / "a", []
    sync = os.fsync

    def recorded(handle: int) -> None:
        order.append((os.fstat(handle).st_ino == tmp_path.stat().st_ino, path.exists()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", recorded)
    write_atomic(path, b"x")
    assert order == [(False, False), (True, True)]  # (is the folder, has its name)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cannot write .*absent"):
        write_atomic(tmp_path / "absent" / "a", b"x")
    with pytest.raises(FileNotFoundError):
        fsync(tmp_path / "absent")


def test_a_record_round_trips(tmp_path: Path) -> None:
    body = {"n": [1, 2.5, None, True, "é"], "m": {}}
    write_record(tmp_path / "r.json", body, version=3)
    assert read_record(tmp_path / "r.json", version=3) == body
    with pytest.raises(BadData, match="schema 3, this version reads 4; fix: upgrade"):
        read_record(tmp_path / "r.json", version=4)


def test_every_altered_byte_of_a_record_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_record(path, {"reward": 0.25, "ids": [1, 2]}, version=1)
    whole = path.read_bytes()
    for at in range(len(whole) - 1):  # the last is the line's end
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises((Damaged, BadData), match=str(path)):
            read_record(path, version=1)
        path.write_bytes(whole[:at])
        with pytest.raises(Damaged, match=str(path)):
            read_record(path, version=1)


def test_what_json_cannot_say_is_not_written(tmp_path: Path) -> None:
    for body in (float("nan"), object(), "\ud800"):
        with pytest.raises(BadData, match="plain finite JSON"):
            write_record(tmp_path / "r.json", body, version=1)
    with pytest.raises(Unavailable, match="cannot read"):
        read_record(tmp_path / "r.json", version=1)
