"""Decisions as a table: for each key that occurs, the probability of each choice. A population draws from it.

An agent's draw is keyed by (seed, step, agent), so it does not depend on who else decides or in which order. A key
without a row is an error, never a guess, unless the caller says what it shall mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from orchestra.atomic import replacing
from orchestra.errors import BadData
from orchestra.worlds.draws import uniform

VERSION: Final = 1
"""Of the saved form: safetensors `rows` (K,) int64 and `probs` (K, C) float32; version, source, choices as metadata."""

_DECISION: Final = 100  # random stream


@dataclass(frozen=True, slots=True, eq=False)
class DecisionTable:
    """Choice probabilities by key, bound to what made them. BadData if the arrays do not fit together.

    >>> table = DecisionTable("by hand", np.array([2, 5]), np.float32([[1, 0], [0, 1]]), ("isolate", "continue"))
    >>> table.draw(np.array([5, 2, 2]), agents=np.arange(3), step=0, seed=7).tolist()
    [1, 0, 0]
    """

    source: str
    """What made it: the name of a rule, or a digest of role, bins and weights."""
    rows: NDArray[np.int64]
    """(K,), ascending."""
    probs: NDArray[np.float32]
    """(K, C), each row adds up to 1."""
    choices: tuple[str, ...]
    """The C choices, in the order of columns; at most 256."""

    def __post_init__(self) -> None:
        if self.rows.ndim != 1 or self.probs.shape != (len(self.rows), len(self.choices)):
            raise BadData(
                f"decision table {self.source!r}: {len(self.choices)} choices need rows (K,) and probs (K, "
                f"{len(self.choices)}), got {self.rows.shape} and {self.probs.shape}"
            )
        if len(self.rows) == 0 or not 2 <= len(self.choices) <= 256 or np.any(np.diff(self.rows) <= 0):
            raise BadData(f"decision table {self.source!r}: needs 2 to 256 choices, and ascending rows")
        if not (np.all(self.probs >= 0) and np.allclose(self.probs.sum(axis=1), 1.0, atol=1e-5)):
            raise BadData(f"decision table {self.source!r}: each row of probs must be >= 0 and add up to 1")

    def probabilities(self, keys: NDArray[np.int64], *, default: Sequence[float] | None = None) -> NDArray[np.float32]:
        """The row of each key: (N, C). `default` is the row of keys that have none; without it they raise BadData."""
        at, probs = self._find(keys, default)
        found: NDArray[np.float32] = probs[at]
        return found

    def draw(
        self,
        keys: NDArray[np.int64],
        agents: NDArray[Any],
        step: int,
        seed: int,
        *,
        default: Sequence[float] | None = None,
    ) -> NDArray[np.uint8]:
        """One choice for each agent (N,), drawn from the row of its key (N,); `default` as in `probabilities`."""
        at, probs = self._find(keys, default)
        below = np.cumsum(probs, axis=1, dtype=np.float64)
        u = uniform(seed, agents, step, _DECISION)
        chosen = np.zeros(len(keys), np.uint8)
        for column in range(len(self.choices) - 1):
            chosen += u >= below[:, column][at]
        return chosen

    def _find(
        self, keys: NDArray[np.int64], default: Sequence[float] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The row number of each key (N,), and the rows: ours, and the default as row K where a key needs it."""
        at: NDArray[np.int64] = np.minimum(np.searchsorted(self.rows, keys), len(self.rows) - 1)
        unseen = self.rows[at] != keys
        if not unseen.any():
            return at, self.probs
        if default is None:
            missing = np.unique(keys[unseen])
            raise BadData(
                f"decision table {self.source!r} has no row for {len(missing)} of the keys asked, such as "
                f"{missing[:5].tolist()}; compile these keys too, or pass default=, one probability a choice"
            )
        at[unseen] = len(self.rows)
        return at, np.vstack([self.probs, np.asarray(default, np.float32)])

    def save(self, path: Path) -> None:
        """Writes one safetensors file, whole or not at all; Unavailable where the disk refuses."""
        about = {"version": str(VERSION), "source": self.source, "choices": json.dumps(self.choices)}
        with replacing(path) as part:
            save_file({"rows": self.rows, "probs": self.probs}, part, metadata=about)

    @classmethod
    def load(cls, path: Path) -> DecisionTable:
        """Reads what `save` wrote, of this version or an older one; BadData says what is wrong with any other file."""
        try:
            with safe_open(path, framework="numpy") as file:
                about: dict[str, str] = file.metadata() or {}
                if about.get("version") != str(VERSION):
                    raise BadData(
                        f"decision table {str(path)!r}: expected version {VERSION}, got {about.get('version')!r}; "
                        "compile it again"
                    )
                rows, probs = file.get_tensor("rows"), file.get_tensor("probs")
                return cls(about["source"], rows, probs, tuple(json.loads(about["choices"])))
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise BadData(f"decision table {str(path)!r} cannot be read: {error!r}; compile it again") from None


def rule(source: str, size: int, choices: tuple[str, ...], choose: Callable[[int], Sequence[float]]) -> DecisionTable:
    """The table of a function from key to probabilities, over the keys 0..size-1: a policy without a model."""
    probs = np.array([choose(key) for key in range(size)], np.float32)
    return DecisionTable(source, np.arange(size), probs, choices)
