"""Rows per second that reach the disk: group commit beside plain sqlite3 with one commit a row, at equal `synchronous`.

    python scripts/bench/journal.py [--rows 2000] [--folder DIR] [--json]

A writer is a coroutine that puts one effect (a completion of 24 tokens with its ids, about 1.4 kB of JSON) and waits
until it is on disk before it puts the next, as a run does before it acknowledges. Serialising and checksums are in the
time of both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestra.trajectory.codec import dump, dump_outcome
from orchestra.trajectory.journal import Entry
from orchestra.trajectory.reader import row_checksum
from orchestra.trajectory.sqlite import Durability, SqliteLog
from orchestra.types import Completion, Key, Usage

EFFECT = {
    "weights": "0" * 32,
    "effect": {"messages": [["system", "You check sums."], ["user", "What is 34 + 57? " * 8]]},
}
COMPLETION = Completion(
    text="34 + 57 = 91. The answer is 91.",
    prompt_ids=tuple(range(1000, 1096)),
    output_ids=tuple(range(2000, 2024)),
    logprobs=tuple(-0.0137 * i for i in range(24)),
    mask=(1,) * 24,
    finish="stop",
    usage=Usage(1, 96, 24, 0.0, 0.25),
)


def grouped(path: Path, durability: Durability, writers: int, rows: int) -> float:
    """Rows per second of SqliteLog with so many coroutines, each waiting for its own row."""

    async def write(log: SqliteLog, name: str, count: int) -> None:
        journal = log.journal(name)
        for draw in range(count):
            journal.put(Key("0" * 32, draw), Entry("1" * 32, EFFECT, COMPLETION))
            await journal.flushed()

    async def all_writers(log: SqliteLog) -> float:
        start = time.perf_counter()
        await asyncio.gather(*(write(log, f"run{i}", rows // writers) for i in range(writers)))
        return rows // writers * writers / (time.perf_counter() - start)

    with SqliteLog(path, durability) as log:
        return asyncio.run(all_writers(log))


def unwaited(path: Path, durability: Durability, rows: int) -> float:
    """Rows per second of one coroutine that puts them all and waits once, as mere dependents do."""

    async def write(log: SqliteLog) -> float:
        journal = log.journal("run")
        start = time.perf_counter()
        for draw in range(rows):
            journal.put(Key("0" * 32, draw), Entry("1" * 32, EFFECT, COMPLETION))
        await journal.flushed()
        return rows / (time.perf_counter() - start)

    with SqliteLog(path, durability) as log:
        return asyncio.run(write(log))


def one_by_one(path: Path, durability: Durability, rows: int) -> float:
    """Rows per second of plain sqlite3, one commit a row: what the number of writers cannot change."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
    connection.execute(
        "CREATE TABLE effects (run, state, draw, digest, effect, outcome, checksum, PRIMARY KEY (run, state, draw))"
    )
    start = time.perf_counter()
    for draw in range(rows):
        values = ("run", "0" * 32, draw, "1" * 32, dump(EFFECT), dump_outcome(COMPLETION))
        connection.execute("INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, row_checksum(*values)))
    seconds = time.perf_counter() - start
    connection.close()
    return rows / seconds


def measure(folder: Path, rows: int) -> list[dict[str, str | int]]:
    """One row a durability: rows per second of each way of writing, one after the other on the same disk."""
    table: list[dict[str, str | int]] = []
    for durability in ("full", "process"):
        place = folder / durability
        place.mkdir()
        table.append(
            {
                "durability": durability,
                "plain_1": round(one_by_one(place / "plain.sqlite", durability, rows)),
                "group_1": round(grouped(place / "one.sqlite", durability, 1, rows)),
                "group_64": round(grouped(place / "many.sqlite", durability, 64, 4 * rows)),
                "unwaited": round(unwaited(place / "unwaited.sqlite", durability, 4 * rows)),
            }
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--rows", type=int, default=2000, help="rows of one writer; many writers share four times as many"
    )
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: the temporary folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    with TemporaryDirectory(dir=args.folder) as folder:
        table = measure(Path(folder), args.rows)
    if args.json:
        print(json.dumps({"rows": args.rows, "sqlite": sqlite3.sqlite_version, "rows_per_s": table}))
        return
    size = len(dump(EFFECT)) + len(dump_outcome(COMPLETION))
    print(f"rows/s on disk, {size} bytes a row, SQLite {sqlite3.sqlite_version}")
    print(f"{'durability':<12}{'plain, 1 writer':>18}{'group, 1 writer':>18}{'group, 64':>12}{'not waited for':>16}")
    for row in table:
        print(
            f"{row['durability']:<12}{row['plain_1']:>18}{row['group_1']:>18}{row['group_64']:>12}{row['unwaited']:>16}"
        )


if __name__ == "__main__":
    main()
