"""An actor with another task: what maps and plans hand out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestra.team.actors.around import ChangedView
from orchestra.team.registry import register
from orchestra.types import View


@register("told")
@dataclass(frozen=True, slots=True)
class Told(ChangedView):
    """The same actor, and a task prompt of its own in place of its team's.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Told(generator(Scripted([])), "What is 2 + 2?").name
    'generator'
    """

    prompt: str

    @property
    def manner(self) -> str:
        return "told another task"

    def sees(self, view: View) -> View:
        return replace(view, prompt=self.prompt)
