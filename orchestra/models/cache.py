"""Model folders that are made once and then only read: a folder under its final name is always whole.

A folder is filled under a private name, described by a MANIFEST.json (size and SHA-256 of each file), fsynced and
renamed into place. One process makes a folder at a time; what a killed one left behind is swept by the next. Whatever
fails, the final name holds a folder that verifies, or nothing that will be used.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from orchestra.atomic import fsync
from orchestra.errors import Unavailable
from orchestra.models.progress import Report

MANIFEST = "MANIFEST.json"
SCHEMA = 1
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Make = Callable[[Path, Path], None]
"""`make(folder, scratch)` fills an empty `folder`; `scratch`, empty and on the same disk, is thrown away afterwards."""


def root() -> Path:
    """Where everything that can be made again lives: $ORCHESTRA_CACHE, else ~/.cache/orchestra."""
    return Path(os.environ.get("ORCHESTRA_CACHE") or "~/.cache/orchestra").expanduser().absolute()


def ensure(name: str, make: Make, *, needs: int, report: Report) -> Path:
    """The folder `models/<name>` of the cache, made now if it is absent or does not verify by size.

    `needs` is the peak of bytes on disk while making. Raises Unavailable where the cache cannot be written, or the
    disk is full or becomes so; what else `make` raises passes through. In each case the disk is as it was before.
    """
    home = root() / "models"
    folder = home / name
    if not faults(folder):
        return folder
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home / f".{name}.lock", name, report):
            if faults(folder):  # still: another process may have made it while this one waited
                _make(folder, make, needs)
    except SafetensorError as error:  # what it could not write; it does not say by which errno
        raise _no_room(folder, needs) from error
    except OSError as error:
        if error.errno in FULL:
            raise _no_room(folder, needs) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise Unavailable(
                f"the model cache {home} cannot be written ({error.strerror}: {error.filename!r}); "
                "fix: set ORCHESTRA_CACHE to a folder that can"
            ) from error
        raise
    return folder


def publish(source: Path, folder: Path) -> None:
    """Give a filled, flat folder its final name, durably; what bore that name is moved to `replaced` beside `source`.

    Order: MANIFEST written, fsync of each file, fsync of the source folder, rename, fsync of the parent.
    """
    files = sorted(file for file in source.iterdir() if file.name != MANIFEST)
    entries = {file.name: {"size": file.stat().st_size, "sha256": file_sha256(file)} for file in files}
    manifest = source / MANIFEST
    manifest.write_text(json.dumps({"schema": SCHEMA, "files": entries}, indent=1) + "\n", encoding="utf-8")
    for file in (*files, manifest):
        file.chmod(
            manifest.stat().st_mode
        )  # some writers make files private, which would shut others out of a shared cache
        fsync(file)
    fsync(source)
    if folder.is_symlink() or folder.exists():
        folder.rename(source.with_name("replaced"))
    source.rename(folder)
    fsync(folder.parent)


def faults(folder: Path, *, deep: bool = False) -> list[str]:
    """What is wrong with a published folder, one line each; empty if it verifies. `deep` also compares the SHA-256.

    >>> faults(Path("no such folder"))
    ['no such folder/MANIFEST.json is missing or unreadable']
    """
    manifest = folder / MANIFEST
    try:
        stored = json.loads(manifest.read_text(encoding="utf-8"))
        if stored["schema"] != SCHEMA:
            return [f"{manifest} has schema {stored['schema']!r}, not {SCHEMA}"]
        entries = [(str(name), int(entry["size"]), str(entry["sha256"])) for name, entry in stored["files"].items()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return [f"{manifest} is missing or unreadable"]
    found = (_fault(folder / name, size, digest, deep) for name, size, digest in entries)
    return [fault for fault in found if fault]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    state = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            state.update(piece)
    return state.hexdigest()


def _fault(file: Path, size: int, digest: str, deep: bool) -> str | None:
    if not file.is_file():
        return f"{file} is missing"
    if file.stat().st_size != size:
        return f"{file} has {file.stat().st_size} bytes, not {size}"
    if deep and file_sha256(file) != digest:
        return f"{file} was altered: its SHA-256 is not {digest}"
    return None


@contextmanager
def _alone(path: Path, name: str, report: Report) -> Iterator[None]:
    """Holds the lock on `path`; the kernel lets go of it when its holder dies."""
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        report(f"wait for another process that makes {name}", 0, 1)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(folder: Path, make: Make, needs: int) -> None:
    """Needs the lock: whoever else left a work folder is dead."""
    prefix = f".{folder.name}.work-"
    for orphan in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(orphan, ignore_errors=True)
    if shutil.disk_usage(folder.parent).free < needs:
        raise _no_room(folder, needs)
    work = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        filled, scratch = work / "folder", work / "scratch"
        filled.mkdir()
        scratch.mkdir()
        make(filled, scratch)
        publish(filled, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _no_room(folder: Path, needs: int) -> Unavailable:
    return Unavailable(
        f"no room to make {folder.name}: it needs {needs / 1e6:,.0f} MB free in {folder.parent}; "
        "fix: free space there or set ORCHESTRA_CACHE to a folder on another disk"
    )
