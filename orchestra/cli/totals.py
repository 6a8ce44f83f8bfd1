"""Limits of a whole evaluation: `--total-tokens` and its like."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Annotated

import typer

from orchestra.engine.budget import Budget


@dataclass(frozen=True, slots=True)
class TotalOptions:
    """Hard caps of all tasks of a system together; every baseline has as much."""

    total_calls: Annotated[int | None, typer.Option(min=1, help="Most model calls of all tasks of a system.")] = None
    total_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of all tasks, in and out.")] = None
    total_cost: Annotated[float | None, typer.Option(help="Most that all tasks may cost, in the prices' money.")] = None
    total_seconds: Annotated[float | None, typer.Option(help="Most model time of all tasks.")] = None

    def total(self) -> Budget | None:
        """None: no cap. Raises BadInput for a cap that is not above 0.

        >>> TotalOptions(total_calls=3).total().calls, TotalOptions().total()
        (3, None)
        """
        caps = (self.total_calls, self.total_tokens, self.total_cost, self.total_seconds)
        if all(cap is None for cap in caps):
            return None
        calls, tokens, cost, seconds = (inf if cap is None else cap for cap in caps)
        return Budget(calls, tokens, cost, seconds)
