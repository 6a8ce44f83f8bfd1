"""Where a request departs from those that are known: the one most like it, and the first difference, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from itertools import zip_longest

from orchestra.types import Request

Turn = tuple[str, str] | None

BEFORE, BEHIND = 20, 60
"""Characters shown around the place where two texts part."""


def nearest(asked: Request, known: Iterable[Request]) -> Request | None:
    """Of the known requests the one with most fields in common, of these the one whose words agree longest at both
    ends; None where none is known.

    >>> known = [Request((("user", "2 + 2?"),), seed=1), Request((("user", "2 + 3?"),), seed=2)]
    >>> nearest(Request((("user", "2 + 3?"),), seed=7), known).seed
    2
    """
    said = _words(asked)

    def alike(other: Request) -> tuple[int, int]:
        words = _words(other)
        same = sum(getattr(asked, field.name) == getattr(other, field.name) for field in fields(Request))
        return same, _shared(said, words) + _shared(said[::-1], words[::-1])

    return max(known, key=alike, default=None)


def difference(asked: Request, known: Request) -> str:
    """The first field in which two requests differ, and how; of texts, what stands around the place where they part.

    >>> difference(Request((("user", "a big dog"),)), Request((("user", "a big cat"),)))
    "messages[0]: asked 'a big dog', recorded 'a big cat'"
    """
    name = next(field.name for field in fields(Request) if getattr(asked, field.name) != getattr(known, field.name))
    if name == "messages":
        return _turns(asked, known)
    one, other = getattr(asked, name), getattr(known, name)
    return f"{name}: {_texts(one, other) if isinstance(one, str) else f'asked {one!r}, recorded {other!r}'}"


def _turns(asked: Request, known: Request) -> str:
    pairs: Iterable[tuple[Turn, Turn]] = zip_longest(asked.messages, known.messages)
    at, (one, other) = next((at, pair) for at, pair in enumerate(pairs) if pair[0] != pair[1])
    if one and other and one[0] == other[0]:
        return f"messages[{at}]: {_texts(one[1], other[1])}"
    return f"messages[{at}]: asked {one!r:.100}, recorded {other!r:.100}"


def _texts(one: str, other: str) -> str:
    at = _shared(one, other)
    shown = [text[max(0, at - BEFORE) : at + BEHIND] for text in (one, other)]
    return f"asked {shown[0]!r}, recorded {shown[1]!r}{f', from character {at}' if at > BEFORE else ''}"


def _shared(one: str, other: str) -> int:
    """Characters up to where two texts part."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _words(request: Request) -> str:
    return "\n".join(content for _, content in request.messages)
