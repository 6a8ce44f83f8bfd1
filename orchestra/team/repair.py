"""A repair: a model is shown its reply that could not be read, and what was wrong with it, and is asked once more.

It goes on from the request before it, so that all calls of an activation are one conversation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from orchestra.errors import Unparseable
from orchestra.types import Request

LINE: Final = 400
"""Bytes that a repair adds to the prompt beside the reply, at most; a long error is cut."""

_ASK: Final = "This could not be read: {}. Reply once more, in the form that was asked for."


def repair(request: Request, said: str, error: Unparseable) -> Request:
    """The request that follows a reply which could not be read.

    >>> shown = repair(Request((("user", "2 + 2?"),)), "four", Unparseable("expected digits")).messages
    >>> shown[1], shown[2][1]
    (('assistant', 'four'), 'This could not be read: expected digits. Reply once more, in the form that was asked for.')
    """
    why = " ".join(str(error).split()).encode("utf-8", "replace")[: LINE - len(_ASK)].decode("utf-8", "ignore")
    return replace(request, messages=(*request.messages, ("assistant", said), ("user", _ASK.format(why.rstrip(".")))))


def blank(request: Request, repairs: int) -> Request:
    """The request after so many repairs that say nothing: what their turns alone add to the prompt."""
    if not repairs:
        return request
    return replace(request, messages=request.messages + (("assistant", ""), ("user", "")) * repairs)
