"""What a message tells its reader that it did not have: the share of its word n-grams that are new to that reader.

A reader has the task, its own private line, what it said, and what it read before, earlier messages of one inbox
included: of two equal messages the second tells nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from orchestra.credit.speech import spoken
from orchestra.evaluation.diagnostics.speech import readers
from orchestra.trajectory.trajectory import Trajectory

Gram = tuple[str, ...]


class Novelty(NamedTuple):
    """Of one message to one reader."""

    sender: str
    reader: str
    round: int
    """Of the reader."""
    share: float
    """Of its n-grams, those that were new; from 0 to 1."""


def grams(text: str, n: int) -> set[Gram]:
    """Its different word n-grams, in lower case; a text of fewer words is one gram, and one without words has none.

    >>> sorted(grams("It is, it is!", 2))
    [('is', 'it'), ('it', 'is')]
    """
    words = re.findall(r"\w+", text.casefold())
    size = min(n, len(words))
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)} if words else set()


def novelty(trajectory: Trajectory, n: int = 2) -> list[Novelty]:
    """Every reading of a message among members, in canonical order; messages without words are left out."""
    task, found = trajectory.task, []
    had: dict[str, set[Gram]] = {}
    for message, read in readers(spoken(trajectory)):
        told = f"{task.prompt}\n{task.private.get(message.sender, '')}"
        known = had.setdefault(message.sender, grams(told, n))
        for said in read:
            if parts := grams(said.content, n):
                found.append(Novelty(said.sender, message.sender, message.round, len(parts - known) / len(parts)))
                known |= parts
        known |= grams(message.content, n)
    return found
