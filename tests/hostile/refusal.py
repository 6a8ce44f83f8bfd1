"""What a refusal is: one line on stderr."""

from __future__ import annotations

from collections.abc import Callable

Refused = Callable[..., str]
"""Runs a command line that must be refused, and gives its line."""


def assert_one_line(err: str) -> None:
    """One line of plain characters, and no traceback."""
    assert err.startswith("error: "), err
    assert err.endswith("\n"), err
    assert err[:-1].isprintable(), ascii(err)
    assert len(err) < 4_000, len(err)
