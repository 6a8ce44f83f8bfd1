"""One system that answers, in a process of its own; prints one JSON object a line. `models.py` starts it.

    python -m scripts.bench.peers.answer '{"module": "with_transformers", "mode": "static", ...}'

It loads the model and says {}; then it reads orders from stdin, a JSON object a line, and answers each with what it
did. It needs nothing but the standard library, since a peer may have an environment of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Setup:
    """What every order of a process has in common."""

    module: str
    """Beside this file; its `load` gives the System."""
    mode: str
    """Only the module knows what the word means."""
    model: str
    """Folder of the weights."""
    tokens: int
    """Of a reply, at most."""
    threads: int
    adapters: tuple[str, ...]
    """Folders of PEFT, "" for the base; requests take them in turns."""
    case: str
    """What orders ask for: decisions, trees or debate."""
    size: int
    """Decisions, trees or debaters."""


@dataclass(frozen=True, slots=True)
class Order:
    """One turn."""

    turn: int
    """Our own teams have new tasks in every turn."""
    asked: tuple[tuple[tuple[int, ...], int], ...] = ()
    """For peers, all that a run of ours asked: prompt ids and number of the adapter."""
    share: float = 1.0
    """Of what was asked, so much is to be answered."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a system did."""

    seconds: float
    tokens: int
    """Generated."""
    asked: int
    """Prompt tokens of all requests."""
    computed: int
    """Those of them that went through the network."""
    passes: int
    """Forward passes; each reads all weights."""
    decisions: int
    said: tuple[tuple[tuple[int, ...], int], ...] = ()
    """Ours only: what was asked, as peers are given it."""


System = Callable[[Order], Done]
"""Loaded weights that answer."""


def picked(asked: Sequence[Any], share: float, turn: int) -> list[Any]:
    """That share of what was asked, at least one, evenly spread; others in every turn.

    >>> picked("abcdefgh", 0.25, 1)
    ['b', 'f']
    """
    count = max(1, round(share * len(asked)))
    step = len(asked) / count
    return [asked[int(index * step + turn) % len(asked)] for index in range(count)]


def peak() -> int:
    """Bytes of memory that this process has held at most since `forget_peak`; 0 where the system does not tell."""
    told = STATUS.read_text(encoding="ascii").splitlines() if STATUS.exists() else []
    return next((int(line.split()[1]) << 10 for line in told if line.startswith("VmHWM:")), 0)


def forget_peak() -> None:
    """Loading may have taken more memory than answering does."""
    with contextlib.suppress(OSError):
        CLEAR.write_text("5", encoding="ascii")


def main() -> None:
    replies, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no reply
    given = json.loads(sys.argv[1])
    setup = Setup(**given | {"adapters": tuple(given["adapters"])})
    system: System = importlib.import_module(f"scripts.bench.peers.{setup.module}").load(setup)
    forget_peak()
    print("{}", file=replies, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        asked = tuple((tuple(ids), adapter) for ids, adapter in order.pop("asked", ()))
        done = system(Order(asked=asked, **order))
        print(json.dumps(asdict(done) | {"peak": peak()}), file=replies, flush=True)


if __name__ == "__main__":
    main()
