"""What is known of a run that goes on: a pure fold over its notices, with no clock, terminal or model in it.

What an activation says is provisional until its own message comes, and so is all that is said within it: a `squashed`
notice takes both back, and what they spent is waste from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from orchestra.engine.context import Notice
from orchestra.types import EMPTY, Usage

KEPT = 2_000
"""Characters of provisional words that are kept: more than a line shows."""


class Place(NamedTuple):
    """Where an activation stands in a run."""

    path: str
    round: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One activation that may still be taken back."""

    place: Place
    state: Literal["speaking", "said", "failed"] = "speaking"
    words: str = ""
    whole: bool = False
    """Whether the words are those of a finished call."""
    usage: Usage = Usage()
    """Of its calls, those of turns within it left out."""


@dataclass(frozen=True, slots=True)
class News:
    """What became of an activation."""

    kind: Literal["said", "failed", "squashed"]
    place: Place
    words: str = ""
    to: tuple[str, ...] = ()
    """Who hears it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A moment of a run."""

    turns: Mapping[Place, Turn] = EMPTY
    """In order of start."""
    news: tuple[News, ...] = ()
    """What the last notice told."""
    usage: Usage = Usage()
    """Of all calls that were not taken back."""
    waste: Usage = Usage()
    """Of those that were."""
    round: int = 0
    """The latest that the team itself has begun."""
    why: str = ""
    """Why the run ended; empty: it goes on."""

    @property
    def speaking(self) -> list[Turn]:
        """Those who speak now: of activations within one another the innermost."""
        now = [turn for turn in self.turns.values() if turn.state == "speaking"]
        outer = {around.place for turn in now if (around := outside(self, turn.place)) is not None}
        return [turn for turn in now if turn.place not in outer]


def after(scene: Scene, notice: Notice) -> Scene:
    """The scene once this has happened; a notice of an unknown kind changes nothing."""
    scene, step = replace(scene, news=()), _STEPS.get(notice.kind)
    return step(scene, notice) if step is not None else scene


def speaker(path: str) -> str:
    """The name that a person knows an activation by.

    >>> speaker("debate/ada"), speaker("outer/group:1/ada"), speaker("solo")
    ('ada', 'group/ada', 'solo')
    """
    names = [part.partition(":")[0] for part in path.split("/")]
    return "/".join(names[1:] or names)


def outside(scene: Scene, place: Place) -> Turn | None:
    """The activation within which the team of this one runs."""
    return _around(scene, _team(place.path.rpartition("/")[0], 0))


def _started(scene: Scene, notice: Notice) -> Scene:
    scene = _with(scene, Turn(Place(notice.path, notice.round)))
    return scene if notice.path.count("/") > 1 else replace(scene, round=max(scene.round, notice.round))


def _delta(scene: Scene, notice: Notice) -> Scene:
    turn = _around(scene, Place(notice.path, notice.round))
    if turn is None:
        return scene
    words = notice.text if turn.whole else turn.words + notice.text
    return _with(scene, replace(turn, words=words[-KEPT:], whole=False))


def _decision(scene: Scene, notice: Notice) -> Scene:
    completion = notice.data.completion
    spent = completion.usage if completion is not None else Usage(calls=1)
    scene, turn = replace(scene, usage=scene.usage + spent), _around(scene, Place(notice.path, notice.round))
    if turn is None:
        return scene
    return _with(scene, replace(turn, words=notice.text, whole=True, usage=turn.usage + spent))


def _message(scene: Scene, notice: Notice) -> Scene:
    place = Place(notice.path, notice.round)
    news = News("said", place, notice.text, notice.to)
    if outside(scene, place) is None:  # nobody can take it back, nor what was said within it
        return replace(_without(scene, _within(scene, place)), news=(news,))
    return replace(_with(scene, replace(scene.turns.get(place, Turn(place)), state="said")), news=(news,))


def _failed(scene: Scene, notice: Notice) -> Scene:
    place = Place(notice.path, notice.round)
    scene = _with(scene, replace(scene.turns.get(place, Turn(place)), state="failed"))
    return replace(scene, news=(News("failed", place, notice.text),))


def _squashed(scene: Scene, notice: Notice) -> Scene:
    """The activation is taken back, and whatever ran within it."""
    lost = _within(scene, Place(notice.path, notice.round))
    spent = sum((turn.usage for turn in lost), Usage())
    back = Usage(-spent.calls, -spent.tokens_in, -spent.tokens_out, -spent.cost, -spent.seconds)
    news = tuple(News("squashed", turn.place, turn.words) for turn in lost)
    return replace(_without(scene, lost), usage=scene.usage + back, waste=scene.waste + spent, news=news)


def _stop(scene: Scene, notice: Notice) -> Scene:
    return scene if "/" in notice.path else replace(scene, why=notice.text, turns=EMPTY)


_STEPS: Mapping[str, Callable[[Scene, Notice], Scene]] = {
    "started": _started,
    "delta": _delta,
    "decision": _decision,
    "message": _message,
    "failed": _failed,
    "squashed": _squashed,
    "stop": _stop,
}


def _within(scene: Scene, place: Place) -> list[Turn]:
    """The activation at a place and all that ran within it."""
    found = []
    for turn in scene.turns.values():
        around: Turn | None = turn
        while around is not None and around.place != place:
            around = outside(scene, around.place)
        found += [turn] if around is not None else []
    return found


def _around(scene: Scene, place: Place) -> Turn | None:
    """The activation at a place, or the innermost around it; an actor may open contexts of its own, round unchanged."""
    while place.path and place not in scene.turns:
        place = _team(place.path.rpartition("/")[0], place.round)
    return scene.turns.get(place)


def _team(path: str, round: int) -> Place:
    """The place of a context by its path, at whose end stands the round of a team that is visited again."""
    outer, slash, last = path.rpartition("/")
    name, _, visit = last.partition(":")
    return Place(outer + slash + name, int(visit or round))


def _with(scene: Scene, turn: Turn) -> Scene:
    return replace(scene, turns={**scene.turns, turn.place: turn})


def _without(scene: Scene, turns: list[Turn]) -> Scene:
    gone = {turn.place for turn in turns}
    return replace(scene, turns={place: turn for place, turn in scene.turns.items() if place not in gone})
