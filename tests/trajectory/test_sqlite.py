"""The journal on disk: what is put is there for a new process; one writer a file; failures are told, not swallowed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestra.errors import BadData, Damaged, Unavailable
from orchestra.trajectory import writer as writer_module
from orchestra.trajectory.codec import load
from orchestra.trajectory.journal import Entry, Failure
from orchestra.trajectory.reader import FORMAT, Reader, union
from orchestra.trajectory.sqlite import Durability, SqliteLog
from orchestra.trajectory.trajectory import Trajectory
from orchestra.trajectory.writer import Row
from orchestra.types import Completion, Key, Usage
from tests.trajectory import records

ROOT = Path(__file__).parents[2]
COMPLETION = Completion("12", (1, 2), (7,), (-1 / 3,), (1,), "stop", Usage(1, 2, 1, 0.0, 0.1))
ENTRIES = {
    Key("s", 0): Entry("d0", {"messages": [["user", "5 + 7?"]]}, COMPLETION),
    Key("s", 1): Entry("d0", {"messages": [["user", "5 + 7?"]]}, Failure("timed out")),
    Key("t"): Entry("d1", {"tool": "clock"}, {"seconds": 1.5, "parts": [1, 2]}),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal-main.sqlite"


@pytest.fixture
def log(file: Path) -> Iterator[SqliteLog]:
    with SqliteLog(file) as log:
        yield log


def put_all(log: SqliteLog, run: str = "r") -> None:
    journal = log.journal(run)
    for key, entry in ENTRIES.items():
        journal.put(key, entry)


@pytest.mark.parametrize("durability", ["full", "process"])
def test_a_new_process_reads_what_this_one_read(file: Path, durability: Durability) -> None:
    with SqliteLog(file, durability) as log:
        put_all(log)
        here = {key: log.journal("r").get(key) for key in ENTRIES}
        asyncio.run(log.flushed())
    with SqliteLog(file, durability) as log:
        assert {key: log.journal("r").get(key) for key in ENTRIES} == here
    assert here[Key("s", 0)] == Entry("d0", {"messages": (("user", "5 + 7?"),)}, COMPLETION)
    assert here[Key("t")] == Entry("d1", {"tool": "clock"}, {"seconds": 1.5, "parts": (1, 2)})


@pytest.mark.parametrize("effect", [None, 1.5, "é", (1, {"a": ()}), {}, {"a": (1, None), "b": {"c": "d"}}])
def test_the_form_of_an_effect_reads_back_equal(file: Path, effect: object) -> None:
    with SqliteLog(file) as log:
        log.journal("r").put(Key("s"), Entry("d", effect, 1))
    with SqliteLog(file) as log:
        found = log.journal("r").get(Key("s"))
        log.journal("copy").put(Key("s"), found)  # as a fork does
    assert found == Entry("d", effect, 1)
    assert repr(found.effect) == repr(effect)
    with closing(Reader(file)) as reader:
        assert reader.entry("copy", Key("s")) == found


def test_a_long_run_is_not_read_before_it_is_asked_for(file: Path) -> None:
    with SqliteLog(file) as log:
        put_all(log)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE effects SET outcome = 'altered' WHERE state = 't'")
    with SqliteLog(file) as log:
        journal = log.journal("r")
        assert journal.get(Key("s", 0)) is not None
        for _ in range(2):
            with pytest.raises(Damaged, match=f"{file}: effect t/0 of run 'r' does not match its checksum"):
                journal.get(Key("t"))
        journal.put(Key("t"), ENTRIES[Key("s", 0)])  # ignored, as every second put
        with pytest.raises(Damaged):
            journal.get(Key("t"))


def test_put_is_visible_at_once_and_flushed_waits_for_the_disk(log: SqliteLog, file: Path) -> None:
    journal = log.journal("r")
    journal.put(Key("s"), Entry("d", None, 1))
    assert journal.get(Key("s")) == Entry("d", None, 1)
    asyncio.run(journal.flushed())
    with closing(Reader(file)) as reader:
        assert reader.keys("r") == [Key("s")]


def test_a_second_put_of_a_key_is_ignored(log: SqliteLog, file: Path) -> None:
    journal = log.journal("r")
    journal.put(Key("s"), Entry("d", None, "first"))
    journal.put(Key("s"), Entry("e", None, "second"))
    log._writer.put(Row("INSERT INTO effects VALUES ('r', 's', 0, '', '', '', '') ON CONFLICT DO NOTHING", (), None))
    asyncio.run(log.flushed())
    with closing(Reader(file)) as reader:
        assert reader.entry("r", Key("s")) == Entry("d", None, "first")


def test_runs_are_apart_and_one_run_has_one_journal(log: SqliteLog) -> None:
    put_all(log, "r")
    assert log.journal("q").get(Key("t")) is None
    assert log.journal("r") is log.journal("r")


def test_a_journal_that_was_let_go_is_loaded_again_with_everything(log: SqliteLog) -> None:
    for _ in range(20):  # at any moment: before, during and after the commit
        put_all(log)
        assert log.journal("r").get(Key("t")) is not None
    asyncio.run(log.flushed())
    for _ in range(1000):  # the writer lets go of the rows a moment after it has woken us
        if "r" not in log._journals:
            break
        time.sleep(0.01)
    assert "r" not in log._journals  # finished runs leave memory
    assert log.journal("r").get(Key("s", 1)) == ENTRIES[Key("s", 1)]._replace(
        effect={"messages": (("user", "5 + 7?"),)}
    )


def test_the_own_file_stands_before_those_of_others(tmp_path: Path) -> None:
    for name, outcome in (("a", "theirs"), ("b", "ours")):
        with SqliteLog(tmp_path / name) as log:
            log.journal("r").put(Key("s"), Entry("d", None, outcome))
            log.journal("r").put(Key(name), Entry("d", None, outcome))
    with SqliteLog(tmp_path / "b") as log, closing(Reader(tmp_path / "a")) as other:
        journal = log.journal("r", [other])
        outcomes = [entry.outcome for key in ("s", "a", "b") if (entry := journal.get(Key(key)))]
    assert outcomes == ["ours", "theirs", "ours"]


def test_flushed_works_from_several_loops_at_once(log: SqliteLog, file: Path) -> None:
    async def write(name: str) -> None:
        journal = log.journal(name)
        for draw in range(50):
            journal.put(Key("s", draw), Entry("d", None, draw))
            await journal.flushed()

    async def four(name: str) -> None:
        await asyncio.gather(*(write(f"{name}{i}") for i in range(4)))

    threads = [threading.Thread(target=asyncio.run, args=(four(name),)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(Reader(file)) as reader:
        assert all(len(reader.keys(f"{name}{i}")) == 50 for name in "abc" for i in range(4))


def test_a_cancelled_wait_harms_nobody(log: SqliteLog) -> None:
    async def scene() -> None:
        journal = log.journal("r")
        journal.put(Key("s"), Entry("d", None, 1))
        waiting = asyncio.create_task(journal.flushed())
        await asyncio.sleep(0)
        waiting.cancel()
        journal.put(Key("t"), Entry("d", None, 1))
        await journal.flushed()

    asyncio.run(scene())


def test_a_full_queue_holds_put_back_until_the_disk_has_caught_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE", 8)
    monkeypatch.setattr(writer_module, "GROUP", 4)
    with SqliteLog(file) as log:
        for draw in range(100):
            log.journal("r").put(Key("s", draw), Entry("d", None, draw))
            assert len(log._writer._queue) <= 8
    with closing(Reader(file)) as reader:
        assert len(reader.keys("r")) == 100


def test_unwaited_rows_are_committed_after_a_while(log: SqliteLog, file: Path) -> None:
    put_all(log)
    with closing(Reader(file)) as reader:
        while not reader.keys("r"):
            pass
        assert len(reader.keys("r")) == len(ENTRIES)


def test_what_cannot_be_saved_is_refused_and_not_put(log: SqliteLog) -> None:
    journal = log.journal("r")
    with pytest.raises(BadData):
        journal.put(Key("s"), Entry("d", None, float("nan")))
    assert journal.get(Key("s")) is None
    with pytest.raises(BadData, match="needs an id"):
        log.add(records.tree(""))


def test_trajectories_are_kept_once_and_read_in_order_of_id(log: SqliteLog, file: Path) -> None:
    names = [f"t-{i:03}" for i in range(150)]  # more than a page of the reader
    for name in (*reversed(names), "t-007"):
        log.add(records.tree(name))
    asyncio.run(log.flushed())
    with closing(Reader(file)) as reader:
        assert [name for name, _ in reader.trajectories()] == names
        assert load(str(reader.trajectory("t-007")), Trajectory) == records.tree("t-007")
        assert reader.trajectory("t-999") is None


def test_a_closed_log_is_one_file(file: Path) -> None:
    with SqliteLog(file) as log:
        put_all(log)
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, f"{file.name}.lock"]


def test_union_gives_every_id_once_and_the_earlier_text() -> None:
    sources = [[("b", "1"), ("d", "1")], [], [("a", "2"), ("b", "2"), ("c", "2"), ("d", "2")]]
    assert list(union(sources)) == [("a", "2"), ("b", "1"), ("c", "2"), ("d", "1")]


def test_a_second_writer_is_refused_with_the_owner_named(log: SqliteLog, file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from orchestra.trajectory.sqlite import SqliteLog\n"
        "SqliteLog(Path(sys.argv[1]))"
    )
    other = subprocess.run([sys.executable, "-c", code, str(file)], cwd=ROOT, capture_output=True, text=True)
    assert f"{file} is being written by process {os.getpid()} on " in other.stderr
    with pytest.raises(Unavailable, match=f"process {os.getpid()} "):
        SqliteLog(file)


def test_a_dead_owner_with_a_living_fork_does_not_keep_the_file(file: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from orchestra.trajectory.lock import Lock\n"
        "lock = Lock(Path(sys.argv[1])); child = os.fork()\n"
        "if child == 0: print(os.getpid(), flush=True); time.sleep(60)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        with pytest.raises(Unavailable):
            SqliteLog(file)
        owner.kill()
        owner.wait()
        os.kill(child, 0)  # it is alive
        SqliteLog(file).close()
        os.kill(child, signal.SIGKILL)


def test_a_log_does_not_survive_a_fork(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(Unavailable, match="after the fork"):
        log.journal("r").put(Key("s"), Entry("d", None, 1))


def test_a_closed_log_refuses_and_closing_twice_is_harmless(file: Path) -> None:
    log = SqliteLog(file)
    journal = log.journal("r")
    log.close()
    log.close()
    with pytest.raises(Unavailable, match="is closed"):
        journal.put(Key("s"), Entry("d", None, 1))
    assert journal.get(Key("s")) is None


def fill(file: Path) -> int:
    """Writes until the disk refuses; the number of effects that were acknowledged. Every later call fails too."""

    async def scene() -> int:
        log = SqliteLog(file)
        journal = log.journal("r")
        acknowledged = 0
        refused = ""
        while not refused:
            try:
                journal.put(Key("s", acknowledged), Entry("d", None, "x" * 2000))
                await journal.flushed()
                acknowledged += 1
            except Unavailable as error:
                refused = str(error)
        assert str(file) in refused
        assert "what was acknowledged is safe" in refused
        with pytest.raises(Unavailable):
            journal.put(Key("t"), Entry("d", None, 1))
        with pytest.raises(Unavailable):
            await log.flushed()
        with pytest.raises(Unavailable):
            log.close()
        return acknowledged

    return asyncio.run(scene())


def test_a_full_disk_is_told_and_what_was_acknowledged_is_there(file: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        acknowledged = fill(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert acknowledged > 10
    with SqliteLog(file) as log:  # with room again, the run goes on
        journal = log.journal("r")
        assert all(journal.get(Key("s", draw)) for draw in range(acknowledged))
        journal.put(Key("t"), Entry("d", None, 1))


def test_many_who_wait_for_a_failing_disk_are_all_told(log: SqliteLog) -> None:
    async def scene() -> list[BaseException | None]:
        log._writer.put(Row("INSERT INTO nowhere VALUES (1)", (), None))
        return await asyncio.gather(*(log.flushed() for _ in range(3)), return_exceptions=True)

    failures = asyncio.run(scene())
    assert [type(failure) for failure in failures] == [Unavailable] * 3
    assert len(set(map(id, failures))) == 3
    with pytest.raises(Unavailable, match="no such table"):
        log.close()


def test_golden_journal_of_this_format(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((ROOT / "tests" / "golden" / f"journal-v{FORMAT}.sql").read_text(encoding="utf-8"))
    with SqliteLog(file) as log:
        journal = log.journal("r")
        found = {key: journal.get(key) for key in ENTRIES}
        text = log.reader.trajectory("tree-1")
    messages = {"messages": (("user", "5 + 7?"),)}
    assert found == {
        Key("s", 0): Entry("d0", messages, COMPLETION),
        Key("s", 1): Entry("d0", messages, Failure("timed out")),
        Key("t"): Entry("d1", {"tool": "clock"}, {"seconds": 1.5, "parts": (1, 2)}),
    }
    assert load(str(text), Trajectory) == records.tree()


def test_other_files_are_refused(tmp_path: Path) -> None:
    foreign, text, newer = (tmp_path / name for name in ("foreign", "text", "newer"))
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    text.write_text("not a database, though it is long enough to be taken for one" * 20)
    SqliteLog(newer).close()
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 2")
    for path, error, message in [
        (foreign, BadData, "no Orchestra journal"),
        (text, Damaged, "not a database"),
        (newer, BadData, "format 2, this version reads 1; fix: upgrade"),
        (tmp_path / "absent" / "journal", Unavailable, "No such file"),
    ]:
        with pytest.raises(error, match=message):
            SqliteLog(path)
    with pytest.raises(Unavailable, match="unable to open"):
        Reader(tmp_path / "absent")
