"""How long work on models tells how far it is: a plain callback, drawn on stderr unless the caller brings its own.

Nothing is printed before the first report, and never on stdout.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

Report = Callable[[str, int, int], None]
"""`(stage, done, total)`, called often; the unit is the stage's own (bytes, steps)."""


@contextmanager
def reporting(report: Report | None) -> Iterator[Report]:
    """Yields `report` itself, or for None one that draws a bar a stage on stderr.

    >>> with reporting(lambda stage, done, total: print(f"{stage} {done}/{total}")) as report:
    ...     report("download", 1, 2)
    download 1/2
    """
    if report is not None:
        yield report
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    bars = Progress(*columns, console=Console(file=sys.stderr))
    stages: dict[str, TaskID] = {}

    def draw(stage: str, done: int, total: int) -> None:
        if not stages:
            bars.start()
        if stage not in stages:
            stages[stage] = bars.add_task(stage, total=total)
        bars.update(stages[stage], completed=done, total=total)

    try:
        yield draw
    finally:
        if stages:
            bars.stop()
