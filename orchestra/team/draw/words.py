"""What drawings say in words: on one line, without control or format characters, cut where it is long."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from orchestra.engine.graph import Node
from orchestra.engine.stops import Both, Either
from orchestra.team.draw.frames import manners
from orchestra.team.draw.overlay import Activity, Overlay

LONGEST = 28
"""Columns of one line in a box."""


def plain(text: str, longest: int = LONGEST) -> str:
    """The text on one line of at most that many columns, without what could steer a reader's program.

    >>> plain("4\\x1b[31m\\n5", 20), plain("a" * 9, 5)
    ('4[31m 5', 'aaaa…')
    """
    line = " ".join("".join(c for c in text if c.isspace() or unicodedata.category(c)[0] != "C").split())
    if columns(line) <= longest:
        return line
    while columns(line) > longest - 1:
        line = line[:-1]
    return line + "…"


def columns(line: str) -> int:
    """How many columns of a fixed-width font a line takes."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def label(node: Node, activity: Activity | None = None) -> list[str]:
    """What stands in a box: the node's name, what is around its actor, and what it did."""
    lines = [node.name, *manners(node.actor)]
    return lines if activity is None else [*lines, *notes(activity), *troubles(activity)]


def notes(activity: Activity) -> list[str]:
    """What a node did, in lines; what went wrong is in `troubles`.

    >>> notes(Activity())
    ['silent']
    """
    if not activity.activations:
        return ["silent"]
    usage = activity.usage
    lines = [f"{counted(activity.activations, 'turn')}, {counted(usage.calls, 'call')}"]
    if activity.turns:
        lines.insert(0, f"spoke {_listed(activity.turns)}")
    if usage.calls:
        lines.append(f"{usage.tokens_in:,} + {usage.tokens_out:,} tokens")
    if activity.answer is not None:
        lines.append(plain(f"answer {activity.answer}"))
    if activity.abstained:
        lines.append(f"{activity.abstained} without answer")
    return lines


def troubles(activity: Activity) -> list[str]:
    """What went wrong at a node, in lines.

    >>> troubles(Activity(failed=1, errors=2))
    ['1 failed', '2 bad calls']
    """
    failed = [f"{activity.failed} failed"] if activity.failed else []
    return [*failed, counted(activity.errors, "bad call")] if activity.errors else failed


def caption(graph: Any, overlay: Overlay | None) -> list[str]:
    """What stands under a drawing: the team's name, stop and output, and how the run ended."""
    lines = [graph.name, f"stop: {described(graph.stop)}", f"output: {described(graph.output)}"]
    return [plain(line, 120) for line in (*lines, *(overlay.ended if overlay else ()))]


def described(value: Any) -> str:
    """A stop or an output as it would be written; functions by name, fields that have their default left out.

    >>> from orchestra.engine import MaxRounds, Quorum
    >>> described(Quorum(2 / 3) | MaxRounds(2))
    'Quorum(0.667) | MaxRounds(2)'
    """
    if isinstance(value, (Either, Both)):
        sign = "|" if isinstance(value, Either) else "&"
        return f"{_part(value, value.first)} {sign} {_part(value, value.second)}"
    if is_dataclass(value) and not isinstance(value, type):
        given = (getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != f.default)
        return f"{type(value).__name__}({', '.join(map(described, given))})"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(described, value))
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value) if isinstance(value, (str, int)) else getattr(value, "__name__", type(value).__name__)


def counted(number: int, what: str) -> str:
    """
    >>> counted(1, "call"), counted(2_000, "call")
    ('1 call', '2,000 calls')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _part(whole: Either | Both, part: Any) -> str:
    text = described(part)
    return f"({text})" if isinstance(whole, Both) and isinstance(part, Either) else text


def _listed(turns: Sequence[int]) -> str:
    shown = ", ".join(map(str, turns[:4]))
    return f"{shown}, … {turns[-1]}" if len(turns) > 4 else shown
