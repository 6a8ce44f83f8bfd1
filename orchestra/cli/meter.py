"""How far an evaluation is and what it has cost, as a bar a stage on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from orchestra.cli.screen import safe
from orchestra.evaluation.course import Tell
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Usage


@contextmanager
def metering() -> Iterator[Tell]:
    """Yields what is told of every trajectory that ends. Nothing is drawn before the first, and never on stdout."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
    )
    bars = Progress(*columns, console=Console(file=sys.stderr))
    stages: dict[str, TaskID] = {}
    spent: dict[str, Usage] = {}

    def tell(stage: str, ended: Trajectory, total: int) -> None:
        if not stages:
            bars.start()
        if stage not in stages:
            stages[stage], spent[stage] = bars.add_task(safe(stage), total=total, spent=""), Usage()
        spent[stage] = sum((leaf.usage for leaf in ended.leaves), spent[stage])
        bars.update(stages[stage], advance=1, total=total, spent=cost(spent[stage]))

    try:
        yield tell
    finally:
        if stages:
            bars.stop()


def cost(usage: Usage) -> str:
    """
    >>> cost(Usage(calls=12, tokens_in=3_000, tokens_out=210)), cost(Usage(calls=1, tokens_in=9, cost=0.0123))
    ('12 calls, 3,210 tokens', '1 calls, 9 tokens, cost 0.0123')
    """
    money = f", cost {usage.cost:.4g}" if usage.cost else ""
    return f"{usage.calls:,} calls, {usage.tokens:,} tokens{money}"
