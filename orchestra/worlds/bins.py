"""What a seat sees, in bins: as a key for tables and as words for a Role, one for one.

A key is the mixed-radix number of its bins, the first field the most significant; a bin holds its lower edge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestra.errors import BadData, BadInput
from orchestra.types import View


@dataclass(frozen=True, slots=True)
class Field:
    """One column, cut at ascending edges; each bin has its own words."""

    name: str
    edges: tuple[float, ...]
    words: tuple[str, ...]
    """One text a bin, so one more than edges."""

    def __post_init__(self) -> None:
        if len(self.words) != len(self.edges) + 1 or len(set(self.words)) != len(self.words):
            raise BadInput(f"field {self.name!r}: {len(self.edges)} edges need {len(self.edges) + 1} different words")
        if any(not low < high for low, high in pairwise(self.edges)):
            raise BadInput(f"field {self.name!r}: edges must ascend, got {self.edges!r}")


@dataclass(frozen=True, slots=True)
class Bins:
    """Fields, binned.

    >>> bins = Bins((Field("age", (20,), ("You are young.", "You are old.")), Field("rain", (1,), ("Dry.", "Wet."))))
    >>> bins.keys({"age": np.array([19, 20]), "rain": 3.0}).tolist(), bins.view(3).prompt
    ([1, 3], 'You are old. Wet.')
    """

    fields: tuple[Field, ...]

    @property
    def size(self) -> int:
        """How many keys there are."""
        return math.prod(len(field.words) for field in self.fields)

    def keys(self, columns: Mapping[str, NDArray[Any] | float]) -> NDArray[np.int64]:
        """The key of each row; a column is an array (N,) or one number for all. BadData: a field is absent or NaN."""
        keys: NDArray[np.int64] = np.zeros((), np.int64)
        for field in self.fields:
            if field.name not in columns:
                raise BadData(f"bins need the columns {[f.name for f in self.fields]}, got {sorted(columns)}")
            values = np.asarray(columns[field.name])
            if np.isnan(values).any():
                raise BadData(f"column {field.name!r} holds NaN, which is in no bin")
            keys = keys * len(field.words) + np.digitize(values, field.edges)
        return keys

    def codes(self, key: int) -> tuple[int, ...]:
        """The bin of each field: the inverse of `key`."""
        if not 0 <= key < self.size:
            raise BadData(f"key {key!r} is not in [0, {self.size})")
        codes = []
        for field in reversed(self.fields):
            key, code = divmod(key, len(field.words))
            codes.append(code)
        return tuple(reversed(codes))

    def key(self, codes: tuple[int, ...]) -> int:
        """The key of these bins, one for each field."""
        if len(codes) != len(self.fields):
            raise BadData(f"expected one bin for each of {len(self.fields)} fields, got {codes!r}")
        key = 0
        for field, code in zip(self.fields, codes, strict=True):
            if not 0 <= code < len(field.words):
                raise BadData(f"field {field.name!r} has no bin {code!r}; it has {len(field.words)}")
            key = key * len(field.words) + code
        return key

    def view(self, key: int) -> View:
        """What the holder of a key is told."""
        words = (field.words[code] for field, code in zip(self.fields, self.codes(key), strict=True))
        return View(" ".join(words))
