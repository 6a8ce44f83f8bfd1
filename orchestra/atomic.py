"""Files that are whole or absent: written beside their name, synced, renamed. No reader ever meets half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from orchestra.digest import canonical, digest
from orchestra.errors import BadData, Damaged, Unavailable
from orchestra.faults import point


def fsync(path: Path) -> None:
    """Brings a file's bytes to disk, or the names in a folder: without that a power cut may bring an old name back.

    Of folders nothing is done on Windows, which cannot open them, and journals their entries itself.
    """
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, where they are missing. Raises Unavailable where the disk refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"cannot make {path}: {error.strerror}; fix: free space or choose another folder") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields an unused path in the same folder; what the body writes there takes the place of `path`, whole and synced.

    If the body raises, `path` stays as it was and nothing is left behind. Raises Unavailable where the disk refuses.
    """
    part = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        yield part
        point("atomic.written")
        fsync(part)
        point("atomic.synced")
        part.replace(path)
        point("atomic.renamed")
        fsync(path.parent)
    except OSError as error:
        raise Unavailable(
            f"cannot write {path}: {error.strerror or error}; fix: free space or choose another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces the file by these bytes, all or nothing. Raises Unavailable where the disk refuses.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "a"; write_atomic(path, b"x"); path.read_bytes()
    b'x'
    """
    with replacing(path) as part:
        part.write_bytes(data)


def write_record(path: Path, body: Any, *, version: int) -> None:
    """Saves plain JSON data with its schema version and checksum. Raises BadData on NaN and on foreign objects."""
    try:
        record = {"schema": version, "checksum": digest(canonical(body)), "body": body}
        text = canonical(record).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise BadData(f"{path} takes plain finite JSON data: {error}") from error
    write_atomic(path, text + b"\n")


def read_record(path: Path, *, version: int) -> Any:
    """The body that `write_record` saved. Raises Damaged if the file was altered, BadData on another version."""
    try:
        record = json.loads(path.read_bytes())
        found, checksum, body = record["schema"], record["checksum"], record["body"]
        whole = checksum == digest(canonical(body))
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Damaged(f"{path} is no saved record: {error!r}; fix: restore it from a copy") from error
    if found != version:
        raise BadData(f"{path} has schema {found!r}, this version reads {version}; fix: upgrade orchestra-teams")
    if not whole:
        raise Damaged(f"{path} does not match its checksum {checksum!r}; fix: restore it from a copy")
    return body
