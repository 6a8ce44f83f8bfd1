"""Data files as they are published: JSON Lines, JSON, CSV and Parquet, also gzipped; and which split a file may be.

Invariant: what cannot be read raises BadData with the file and, where there is one, the line; nothing is skipped.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

from orchestra.errors import BadData, BadInput, missing_extra

_NAMED: Final = re.compile(r"(?<![a-z])(?:(test)|(dev|val|valid|validation))(?![a-z])", re.IGNORECASE)
_STRICTNESS: Final = {"train": 0, "dev": 1, "test": 2}


def check_split(path: Path, split: str) -> None:
    """Raises BadInput where a file or folder that its name calls test is asked for as train or dev, or dev as train.

    A file may go under a stricter name than its own and never under a looser one: what is called test is not trained on
    unless `collect --force` and the recipe's --allow-test both say so.
    """
    own = next(filter(None, (_NAMED.search(path.name), _NAMED.fullmatch(path.parent.name))), None)
    named = ("test" if own[1] else "dev") if own else "train"
    if _STRICTNESS[split] < _STRICTNESS[named]:
        raise BadInput(
            f"expected split {named!r} of {str(path)!r}, as its name says, got {split!r}; "
            f"fix: --split {named}{' (never trained on without --force)' if named == 'test' else ''}"
        )


def rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place ("FILE:LINE", from 1) and object of each record of a .jsonl, .json, .csv (with a header) or .parquet file.

    A .json file holds a list of objects, one object, or, as TriviaQA's, `{"Data": [...]}`; there the number counts
    records. Of a .gz file the name before it says what it is.
    """
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix
    if suffix not in _READERS:
        raise BadData(f"expected a file of {', '.join(_READERS)} (or .gz of one), got {str(path)!r}; fix: convert it")
    for number, row in _READERS[suffix](path):
        if not isinstance(row, dict):
            refuse(f"{path}:{number}", "an object", row)
        yield f"{path}:{number}", row


def cells(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and cells of each row of a CSV file, the first one included."""
    yield from ((f"{path}:{number}", row) for number, row in _cells(path))


def refuse(where: str, expected: str, got: object) -> NoReturn:
    """Raises the BadData of a row that is not of the format."""
    raise BadData(f"{where}: expected {expected}, got {got!s:.120}; fix: that row")


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadData(f"expected a readable UTF-8 file, got {str(path)!r} ({error}); fix: the path") from error


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            yield number, _value(line, f"{path}:{number}")


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    found = _value(_text(path), str(path))
    records = found.get("Data", found) if isinstance(found, dict) else found
    yield from enumerate(records if isinstance(records, list) else [records], start=1)


def _value(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadData(f"{where}: expected JSON, got {text[:80]!r} ({error}); fix: that text") from error


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        yield from ((reader.line_num, row) for row in reader if row)
    except csv.Error as error:
        raise BadData(f"{path}:{reader.line_num}: expected CSV ({error}); fix: that line") from error


def _table(path: Path) -> Iterator[tuple[int, Any]]:
    table = _cells(path)
    header = next(table, (0, []))[1]
    for number, row in table:
        if len(row) != len(header):
            refuse(f"{path}:{number}", f"{len(header)} cells", row)
        yield number, dict(zip(header, row, strict=True))


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415  (extra `data`, and slow to import)
    except ImportError as error:
        raise missing_extra("data", "pyarrow") from error
    try:
        found = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise BadData(f"expected a Parquet file, got {str(path)!r} ({error}); fix: the path") from error
    yield from enumerate(found, start=1)


_READERS: Final = {".jsonl": _lines, ".json": _values, ".csv": _table, ".parquet": _parquet}
