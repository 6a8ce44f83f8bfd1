"""A tool as a node: it calls a plain function on what the one before it wants computed, and says what came of it.

A call is an effect, so it stands in the journal, and a resumed run does not make it again. It costs no model call. What
goes wrong is told to those who listen, as a line, and is a failure on the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestra.answers import extract_strict
from orchestra.engine.context import NOTHING, Context
from orchestra.errors import CallFailed, Unparseable
from orchestra.team.registry import name_of, register
from orchestra.types import Reply, View


@dataclass(frozen=True, slots=True)
class ToolCall:
    """An effect: a tool is asked."""

    tool: str
    text: str


@register("tool")
@dataclass(frozen=True, slots=True)
class Tool:
    """Says what a function makes of the typed output, a text, of the last message; `computed` when it has a value.

    A number is its answer too. A message without such an output is nothing to compute: it abstains.
    """

    function: Callable[[str], str]
    """Raises Unparseable or CallFailed where it has no value."""

    @property
    def name(self) -> str:
        return name_of(self.function) or str(getattr(self.function, "__name__", "tool"))

    @property
    def manner(self) -> str:
        return f"calls {self.name}"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        asked = view.inbox[-1].parsed if view.inbox else None
        if not isinstance(asked, str):
            raise Unparseable(f"{ctx.path}: expected a text to compute, got {type(asked).__name__}")
        try:
            value = str(await ctx.do(ToolCall(self.name, asked), self._call, bound=NOTHING))
        except CallFailed as error:
            return Reply(f"Error: {error}", origin="tool")
        ctx.event("tool", f"{self.name}: {value}")
        answer = extract_strict(value, "number")
        return Reply(f"{asked} = {value}", answer, value, stop="computed", origin="tool")

    async def _call(self, calls: Sequence[ToolCall]) -> Sequence[str]:
        return [await asyncio.to_thread(self._value, call.text) for call in calls]

    def _value(self, text: str) -> str:
        try:
            return self.function(text)
        except Unparseable as error:
            raise CallFailed(str(error)) from None
