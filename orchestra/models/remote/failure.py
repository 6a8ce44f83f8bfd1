"""Why a call to a server gave no answer, and what follows from it; a message is one line and holds no secret."""

from __future__ import annotations

from typing import Literal

from pydantic import TypeAdapter, ValidationError

from orchestra.errors import CallFailed

Kind = Literal["refused", "busy", "down", "late"]
"""refused: it would be refused again. busy: the server asks for patience. down: it, or the way to it, is at fault.
late: the deadline is over."""

_OBJECT = TypeAdapter(dict[str, object])


class Failed(CallFailed):
    """A call to a server failed.

    >>> Failed("no answer", "down").again
    True
    """

    def __init__(self, text: str, kind: Kind, *, status: int | None = None, after: float | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.status = status
        """Of HTTP; None where there was no answer."""
        self.after = after
        """Seconds that the server asks to wait; None: it does not say."""

    @property
    def again(self) -> bool:
        """Whether another attempt may succeed."""
        return self.kind in ("busy", "down")

    def reworded(self, text: str) -> Failed:
        """The same failure, told with more around it."""
        return Failed(text, self.kind, status=self.status, after=self.after)


def first_line(body: bytes) -> str:
    """What a server says went wrong: the message of a JSON error, else the first line with text, printable.

    >>> first_line(b'{"error": {"message": "no such model"}}'), first_line(b"\\n <h1>Bad gateway</h1>")
    ("'no such model'", "'<h1>Bad gateway</h1>'")
    """
    said = _message(body) or body.decode("utf-8", "replace")
    line = next((line.strip() for line in said.splitlines() if line.strip()), "")
    return repr("".join(c for c in line if c.isprintable()))


def _message(body: bytes) -> str | None:
    try:
        value = _OBJECT.validate_json(body)
    except ValidationError:
        return None
    error = value.get("error", value)
    said = error if not isinstance(error, dict) else error.get("message") or error.get("detail")
    return said if isinstance(said, str) else None
