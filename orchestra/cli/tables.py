"""Decision tables of `orchestra simulate`: a rule's, a file's, or one compiled from a model. Imports numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from orchestra.cli.runs import failed, wait
from orchestra.digest import digest
from orchestra.errors import BadInput
from orchestra.models.model import Policy
from orchestra.population import DecisionTable, always, compile_in, never, threshold
from orchestra.roles import citizen
from orchestra.trajectory.store import Run
from orchestra.worlds.epidemic import ACTIONS, BINS

RULES: Final[dict[str, Callable[[], DecisionTable]]] = {"never": never, "always": always, "threshold": threshold}
FILE: Final = "table.safetensors"
"""What was compiled, in the run folder."""


@dataclass(frozen=True, slots=True)
class Given:
    """A table that is there."""

    decisions: DecisionTable

    @property
    def identity(self) -> str:
        """Names what it decides."""
        table = self.decisions
        return digest(table.source, table.rows.tobytes().hex(), table.probs.tobytes().hex())

    def table(self, folder: Run) -> tuple[DecisionTable, int]:
        """The table, and the model calls that it took."""
        return self.decisions, 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A table to be compiled: a citizen is asked for every key of the epidemic."""

    policy: Policy

    @property
    def identity(self) -> str:
        """Names the weights that will be asked."""
        return self.policy.model.weights(self.policy.adapter)

    def table(self, folder: Run) -> tuple[DecisionTable, int]:
        """The table, saved in the folder, and the model calls that it took; what is journaled there is not asked again.

        Raises RunFailed where the model fails.
        """
        keys = np.arange(BINS.size, dtype=np.int64)
        table, trajectory = wait(compile_in(folder, citizen, BINS, self.policy, keys))
        if table is None:
            raise failed(trajectory.error or "no table was compiled", folder)
        table.save(folder.path / FILE)
        return table, trajectory.usage.calls


def load(path: Path) -> Given:
    """A table that was saved; BadInput if it decides about something else than the epidemic."""
    table = DecisionTable.load(path)
    if table.choices != ACTIONS:
        raise BadInput(f"table {str(path)!r} chooses among {', '.join(table.choices)}; expected {', '.join(ACTIONS)}")
    return Given(table)
