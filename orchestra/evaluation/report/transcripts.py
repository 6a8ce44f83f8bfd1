"""What was said in each run of the team, in words that a page may show.

Characters that nobody sees, such as escapes and turns of the reading direction, are written out, so that a reader meets
what was there. Long messages are cut so that all runs of an evaluation fit on one page, and say so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from orchestra.evaluation.finished import Finished, Scored

State = Literal["failed", "unparseable", "wrong", "partly right", "right", "unscored"]

TOTAL: Final = 2_500_000
"""Characters of all messages together."""
LONGEST, SHORTEST = 4_000, 200
"""A message is cut at most, and at least, here."""
_JOINERS = "\u200c\u200d"


class Line(NamedTuple):
    """A message, or a call that failed."""

    speaker: str
    round: int
    """From 1."""
    text: str
    answer: str | None = None
    trouble: str = ""
    """Why a call failed."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One run."""

    number: int
    """From 1, in the order of the evaluation; the page's anchor."""
    task: str
    sample: int
    state: State
    prompt: str
    gold: str
    answer: str
    stopped_by: str
    tokens: int
    error: str
    lines: tuple[Line, ...]
    others: tuple[tuple[str, str, str], ...]
    """(baseline, answer, state) on the same task and sample."""


def transcripts(found: Finished) -> list[Transcript]:
    """Of every run of the team, in the order of the evaluation."""
    beside = {
        name: {(run.item.task, run.item.sample): run for run in runs}
        for name, runs in found.systems.items()
        if name != found.team
    }
    messages = sum(len(run.trajectory.messages) for run in found.ours)
    longest = max(SHORTEST, min(LONGEST, TOTAL // max(messages, 1)))
    return [_transcript(number, run, beside, longest) for number, run in enumerate(found.ours, start=1)]


def troubled(runs: Sequence[Transcript]) -> list[Transcript]:
    """Those that failed, then those without an answer."""
    return [run for state in ("failed", "unparseable") for run in runs if run.state == state]


def state(run: Scored) -> State:
    """How a run went, by the flexible rule."""
    item = run.item
    if item.error is not None:
        return "failed"
    if item.flexible is None:
        return "unscored"
    if not item.parsed:
        return "unparseable"
    if item.flexible == 1.0:
        return "right"
    return "partly right" if item.flexible > 0.0 else "wrong"


def visible(text: str) -> str:
    """The text with control and format characters, save newline and tab, written as their code points.

    >>> visible("a\\x1b[31m\\u202eb")
    'a\\\\u001b[31m\\\\u202eb'
    """
    return "".join(f"\\u{ord(c):04x}" if _hidden(c) else c for c in text)


def _hidden(character: str) -> bool:
    if character in "\n\t" + _JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _transcript(
    number: int, run: Scored, beside: Mapping[str, Mapping[tuple[str, int], Scored]], longest: int
) -> Transcript:
    item, task, leaf = run.item, run.trajectory.task, run.trajectory.leaf
    seats = "".join(f"\n[told to {seat} alone] {text}" for seat, text in task.private.items())
    others = [(name, runs[item.task, item.sample]) for name, runs in beside.items() if (item.task, item.sample) in runs]
    return Transcript(
        number,
        visible(item.task),
        item.sample + 1,
        state(run),
        _cut(task.prompt + seats, longest),
        "-" if task.gold is None else _cut(str(task.gold), SHORTEST),
        _answer(run),
        visible(leaf.stopped_by),
        item.usage.tokens,
        visible(item.error or ""),
        _lines(run, longest),
        tuple((name, _answer(other), state(other)) for name, other in others),
    )


def _lines(run: Scored, longest: int) -> tuple[Line, ...]:
    """What was said, and what failed or could not be parsed, in canonical order each."""
    said = [
        Line(visible(m.sender), m.round + 1, _cut(m.content, longest), m.answer and _cut(m.answer, SHORTEST))
        for m in run.trajectory.messages
        if m.content.strip()
    ]
    failed = [
        Line(
            visible(made.agent),
            made.round + 1,
            _cut(made.completion.text if made.completion else "", longest),
            trouble=_cut(made.error, SHORTEST),
        )
        for made in run.trajectory.decisions
        if made.error is not None
    ]
    return (*said, *failed)


def _answer(run: Scored) -> str:
    return "-" if run.item.answer is None else _cut(run.item.answer, SHORTEST)


def _cut(text: str, longest: int) -> str:
    shown = visible(text)
    return shown if len(shown) <= longest else f"{shown[:longest]} … ({len(text) - longest:,} more characters)"
