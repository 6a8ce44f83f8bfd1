"""What a command may print: its one result on stdout, as text or as exactly one JSON object, and nothing else there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print exactly one JSON object on stdout; progress and logs go to stderr.")
]
"""The `--json` option that every command takes."""


def result(value: Mapping[str, Any], text: str, as_json: bool) -> None:
    """Prints a command's result once: `value` as one line of JSON, else `text`. Raises ValueError on NaN or infinity.

    >>> result({"ok": True, "mean": None}, "fine", as_json=True)
    {"ok": true, "mean": null}
    >>> result({"ok": True}, "fine", as_json=False)
    fine
    """
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False) if as_json else text)
