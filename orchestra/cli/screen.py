"""What people read: words of models made harmless, lines on stderr, columns of text.

Nothing that a model said reaches the terminal except through `safe`: it can neither move the cursor, nor set a title,
nor turn the reading order, nor use the markup of rich.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import typer
from rich.console import Console
from rich.text import Text

_ESCAPES = re.compile(
    r"\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC up to their end
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[ -/]*[0-~]?",  # any other escape
    re.DOTALL,
)
_JOINERS = "\u200c\u200d"
"""Format characters that words of some scripts, and emoji, are spelt with."""


def safe(text: str) -> str:
    """The text without escape sequences, control and format characters (bidirectional ones too), save newline and tab.

    >>> safe("\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07\\u202eback\\r [b]bold[/b]")
    'red back [b]bold[/b]'
    """
    return "".join(map(_shown, _ESCAPES.sub("", text)))


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    hidden = category in ("Cc", "Cf", "Zl", "Zp") and character not in "\n\t" + _JOINERS
    return "" if hidden else character


def say(text: str) -> None:
    """One line, or more, on stderr."""
    typer.echo(safe(text), err=True)


def said(sender: str, round: int, content: str) -> None:
    """A message of a running team, on stderr."""
    head = Text(f"{safe(sender)} [{round}] ", style="bold")
    Console(stderr=True, highlight=False).print(head + Text(safe(content), style="none"), soft_wrap=True)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as aligned lines.

    >>> print(columns([("system", "n"), ("chain", "100")]))
    system  n
    chain   100
    """
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def interval(found: Mapping[str, float]) -> str:
    """
    >>> interval({"mean": 0.5, "ci_low": 0.404, "ci_high": 0.596})
    '50.0 % (40.4 to 59.6)'
    """
    return f"{100 * found['mean']:.1f} % ({100 * found['ci_low']:.1f} to {100 * found['ci_high']:.1f})"
