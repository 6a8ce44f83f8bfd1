"""An actor that begins anew: it hears that it is its turn, and nothing of what was said before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestra.team.actors.around import ChangedView
from orchestra.team.registry import register
from orchestra.types import View


@register("anew")
@dataclass(frozen=True, slots=True)
class Anew(ChangedView):
    """The same actor with an empty inbox; `Message.saw` still lists what reached it.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Anew(generator(Scripted([]))).manner
    'begins anew'
    """

    @property
    def manner(self) -> str:
        return "begins anew"

    def sees(self, view: View) -> View:
        return replace(view, inbox=())
