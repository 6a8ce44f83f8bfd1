"""The file of a cassette: one JSON object a line, each with a checksum; a line is whole or it does not count.

    {"check": "9f...", "row": {"schema": 1, "model": "tiny", "capabilities": ["ids"], "encodes": false}}
    {"check": "04...", "row": {"call": "count", "asked": {"messages": [["user", "2 + 2?"]]}, "tokens": 11}}
    {"check": "c1...", "row": {"call": "generate", "asked": {...}, "completion": {...}}}

Fields at their default are left out, so that a field that comes later does not change what older lines mean.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from filelock import FileLock, Timeout
from pydantic import ConfigDict, TypeAdapter, ValidationError

from orchestra.digest import canonical, digest
from orchestra.errors import BadData, Damaged, Unavailable
from orchestra.models.model import Scores
from orchestra.types import Completion, Request

T = TypeVar("T")
Call = Literal["generate", "score", "count", "encode", "weights"]
Encoded = tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]

SCHEMA = 1
FIX = "restore the cassette from a copy, or record it again"
OUTCOMES = {"generate": "completion", "score": "scores", "count": "tokens", "encode": "ids", "weights": "weights"}
"""The field of a Row that holds the outcome of each call, where it did not fail."""


@dataclass(frozen=True, slots=True)
class Label:
    """The first line: whose answers these are."""

    schema: int
    model: str
    capabilities: tuple[str, ...]
    encodes: bool
    """Whether the model tells the ids of prompt and options, as `choose` asks for them."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was asked, and the one thing that came of it."""

    call: Call
    asked: Request
    """Its adapter is the digest of the weights that answered; for the call `weights` it is the adapter's folder."""
    completion: Completion | None = None
    scores: Scores | None = None
    tokens: int | None = None
    """Counted."""
    ids: Encoded | None = None
    weights: str = ""
    failure: str = ""
    """Why there is no outcome: the text of a CallFailed."""


_CLOSED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {
    # In tuples, because pydantic takes a configuration for what contains standard dataclasses, not for one itself.
    Label: TypeAdapter(tuple[Label], config=_CLOSED),
    Row: TypeAdapter(tuple[Row], config=_CLOSED),
}


def read(path: Path) -> tuple[Label, list[Row]]:
    """All whole lines of a cassette; a last one that a killed recorder left without its end is passed over.

    Raises BadData where there is no cassette or one of another version, Damaged naming the line that was altered.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise BadData(f"expected a cassette, got {error.strerror} at {path}; fix: record it first") from error
    if not lines:
        raise BadData(f"expected a cassette, got a file without a whole line at {path}; fix: record it again")
    label = decoded(lines[0], Label, f"{path}:1", FIX)
    if label.schema != SCHEMA:
        raise BadData(f"{path} has schema {label.schema!r}, this version reads {SCHEMA}; fix: upgrade orchestra-teams")
    return label, [decoded(line, Row, f"{path}:{number}", FIX) for number, line in enumerate(lines[1:], 2)]


class Tape:
    """A cassette that is written: one recorder at a time, each batch of lines by one append."""

    def __init__(self, path: Path, label: Label) -> None:
        """Goes on behind what the file holds. Raises Unavailable where another recorder holds it or the disk refuses,
        BadData where it was recorded with another model, and as `read` does."""
        self._path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), thread_local=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise Unavailable(
                f"{path} is being recorded by somebody else; fix: wait, or choose another file"
            ) from error
        except OSError as error:
            raise Unavailable(f"cannot write {path}: {error.strerror}; fix: choose another folder") from error
        try:
            self.rows = self._opened(label)
        except BaseException:
            self.close()
            raise

    def append(self, rows: Sequence[Row]) -> None:
        """Raises BadData for what JSON does not hold, Unavailable where the disk refuses."""
        self._append([encoded(row) for row in rows])

    def close(self) -> None:
        """Lets others record. What was appended needs no closing."""
        self._lock.release()

    def _opened(self, label: Label) -> list[Row]:
        if not self._path.exists() or not self._path.stat().st_size:
            self._append([encoded(label)])
            return []
        found, rows = read(self._path)
        if found != label:
            raise BadData(f"expected a cassette of {label}, got {found} at {self._path}; fix: choose another file")
        with self._path.open("r+b") as file:  # a line that a killed recorder left without its end
            file.truncate(file.read().rfind(b"\n") + 1)
        return rows

    def _append(self, lines: Sequence[bytes]) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(lines))
        except OSError as error:
            raise Unavailable(f"cannot write {self._path}: {error.strerror}; fix: free space") from error


def name(call: Call, asked: Request) -> str:
    """Digest of what was asked; a field of Request that comes later, at its default, does not change it."""
    return digest(canonical(_body(Row(call, asked))))


def encoded(row: Label | Row) -> bytes:
    """The line of a row, its newline included. Raises BadData for what JSON does not hold."""
    try:
        body = _body(row)
        return f"{canonical({'check': digest(canonical(body)), 'row': body})}\n".encode()
    except ValueError as error:  # NaN and infinity, lone surrogates
        raise BadData(f"expected finite numbers and Unicode text, got {error} in {row!r:.200}") from error


def decoded(line: bytes, kind: type[T], where: str, fix: str) -> T:
    """The row of a line. Raises Damaged, naming the place and what to do, unless it is just as it was written."""
    try:
        found = json.loads(line)
        body = canonical(found["row"])
        if found["check"] != digest(body):
            raise Damaged(f"{where} does not match its checksum; fix: {fix}")
        value: T = _ADAPTERS[kind].validate_json(f"[{body}]")[0]
    except (ValueError, TypeError, LookupError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise Damaged(f"{where} is no {kind.__name__.lower()} of ours: {reason:.200}; fix: {fix}") from error
    if isinstance(value, Row) and not value.failure and getattr(value, OUTCOMES[value.call]) in (None, ""):
        raise Damaged(f"{where} has no outcome of its call {value.call!r}; fix: {fix}")
    return value


def _body(row: Label | Row) -> Any:
    return _ADAPTERS[type(row)].dump_python((row,), mode="json", exclude_defaults=True)[0]
