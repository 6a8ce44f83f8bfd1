"""The live view of `orchestra run`: what is on the record scrolls up, below it who speaks now and what it all took.

On a terminal only; where stderr is a file or a pipe, or with --plain, each message is a line. Whatever a model said
goes through `screen.safe`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from time import monotonic

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from orchestra.cli.scene import News, Scene, Turn, after, speaker
from orchestra.cli.screen import safe, said
from orchestra.engine.budget import Budget
from orchestra.engine.context import Notice

ROWS = 12
"""Most of those who speak at the same time that are shown."""
NAMED = 3
"""Most hearers that are named."""
DIGITS = {"calls": 0, "tokens": 0, "cost": 4, "seconds": 1}
"""Decimals of what is left of a budget."""
STYLES = {"failed": "red", "squashed": "strike dim"}

Show = Callable[[Notice], None]


@contextmanager
def watching(budget: Budget | None, *, plain: bool) -> Iterator[Show]:
    """Shows on stderr what it is called with, until it is left."""
    console = Console(stderr=True, highlight=False)
    if plain or not sys.stderr.isatty() or console.is_dumb_terminal:
        yield message_line
        return
    view = View(console, budget)
    with Live(get_renderable=view.picture, console=console, refresh_per_second=8, redirect_stdout=False):
        try:
            yield view
        finally:
            view.scene = replace(view.scene, turns={})  # of a run that failed the last picture shows nobody speaking


def message_line(notice: Notice) -> None:
    """Each message once it is certain."""
    if notice.kind == "message":
        said(notice.data.sender, notice.round, notice.text)


class View:
    """What a terminal shows of a run."""

    def __init__(self, console: Console, budget: Budget | None) -> None:
        self.console, self.budget = console, budget
        self.scene = Scene()
        self._began = monotonic()

    def __call__(self, notice: Notice) -> None:
        self.scene = after(self.scene, notice)
        for news in self.scene.news:
            self.console.print(told(news), soft_wrap=True)

    def picture(self) -> Group:
        rows = max(1, min(ROWS, self.console.height - 4))
        return panel(self.scene, monotonic() - self._began, self.budget, self.console.width, rows)


def told(news: News) -> Text:
    """What an activation came to, whole: who spoke to whom, in which round, and the words."""
    more = ", ..." if len(news.to) > NAMED else ""
    to = f" -> {', '.join(news.to[:NAMED])}{more}" if news.to else ""
    head = f"{speaker(news.place.path)}{to} [{news.place.round}] "
    if news.kind == "said":
        return Text.assemble((safe(head), "bold"), safe(news.words))
    words = f"{news.kind}: {news.words}" if news.words else news.kind
    return Text(safe(head + words), style=STYLES[news.kind])


def panel(scene: Scene, seconds: float, budget: Budget | None, width: int, rows: int) -> Group:
    """Those who speak now, the busiest if they are many, their provisional words dimmed; then the figures."""
    turns = scene.speaking
    busiest = sorted(range(len(turns)), key=lambda at: (-turns[at].usage.tokens - len(turns[at].words), at))
    lines = [_speaking(turns[at], width) for at in sorted(busiest[:rows])]
    if len(turns) > rows:
        lines.append(Text(f"... and {len(turns) - rows} more speaking", style="dim"))
    return Group(*lines, figures(scene, seconds, budget))


def figures(scene: Scene, seconds: float, budget: Budget | None) -> Text:
    """Round, what was spent and wasted, and what is left.

    >>> figures(Scene(round=1), 2.0, Budget(calls=3)).plain
    'round 1 · 0 calls · 0 + 0 tokens · 2 s · left: 3 calls'
    """
    usage, waste = scene.usage, scene.waste
    parts = [f"round {scene.round}", f"{usage.calls:,} calls", f"{usage.tokens_in:,} + {usage.tokens_out:,} tokens"]
    if usage.cost:
        parts.append(f"cost {usage.cost:.4g}")
    if waste.calls:
        parts.append(f"wasted {waste.calls:,} calls, {waste.tokens:,} tokens")
    parts.append(f"{seconds:.0f} s")
    if left := _left(scene, budget):
        parts.append(f"left: {', '.join(left)}")
    end = f" · ended: {safe(scene.why)}" if scene.why else ""
    return Text.assemble((" · ".join(parts), "bold"), (end, "bold green"))


def _left(scene: Scene, budget: Budget | None) -> Sequence[str]:
    """Under each cap; what was wasted counts against it too."""
    if budget is None:
        return []
    spent = scene.usage + scene.waste
    left = {name: getattr(budget, name) - getattr(spent, name) for name in DIGITS}
    return [f"{max(0.0, left[name]):,.{digits}f} {name}" for name, digits in DIGITS.items() if left[name] < inf]


def _speaking(turn: Turn, width: int) -> Text:
    head = safe(f"{speaker(turn.place.path)} [{turn.place.round}] ")
    words = _tail(" ".join(safe(turn.words).split()), max(0, width - cell_len(head)))
    return Text.assemble((head, "cyan"), (words, "dim"), no_wrap=True, overflow="ellipsis")


def _tail(words: str, room: int) -> str:
    """The end of a text, as much as fits."""
    start = max(0, len(words) - room)
    while cell_len(words[start:]) > room:
        start += 1
    return words[start:]
