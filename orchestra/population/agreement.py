"""How far a table decides as a reference does: over the decisions a population drew, and over keys alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestra.errors import BadData
from orchestra.population.table import DecisionTable


class Agreement(NamedTuple):
    """Shares in [0, 1]; None = no decision was drawn."""

    decisions: float | None
    """Of the decisions drawn, each agent counted each time: those equal to the reference's choice there."""
    constant: float | None
    """The same for the best single choice on those decisions: what a table that looks at nothing could reach."""
    keys: float
    """Of the table's keys, each counted once: those whose likeliest choice is the reference's."""


def agreement(
    table: DecisionTable,
    reference: DecisionTable,
    decisions: NDArray[np.int64],
    *,
    keys: NDArray[np.int64] | None = None,
) -> Agreement:
    """Agreement of `table` with the likeliest choices of `reference`, on the table's rows or some `keys` of them.

    `decisions` (all keys, C) counts the choices drawn at each key, as `Outcome.decisions` does: of the population that
    `table` itself drove, so other tables are judged on the epidemics that they brought about. BadData: `keys` holds
    one that is not in `table`, or `reference` lacks one.
    """
    if table.choices != reference.choices:
        raise BadData(f"tables with different choices cannot be compared: {table.choices} and {reference.choices}")
    rows = table.rows if keys is None else keys
    right = reference.probabilities(rows).argmax(axis=1)
    likeliest = table.probabilities(rows).argmax(axis=1)
    drawn = decisions[rows]
    total = int(drawn.sum())
    same = int(np.take_along_axis(drawn, right[:, None], axis=1).sum())
    constant = int(np.bincount(right, weights=drawn.sum(axis=1)).max())
    by_key = float(np.mean(right == likeliest))
    return Agreement(same / total, constant / total, by_key) if total else Agreement(None, None, by_key)
