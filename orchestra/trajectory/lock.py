"""One writer a file: the lock lives as long as the process that took it, so a dead owner's lock is free at once."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path

from orchestra.errors import Unavailable


class Lock:
    """Exclusive use of `path`, from construction to `release` or the end of the process, kill -9 included.

    Held on `path`.lock, which names the owner and stays behind. Raises Unavailable, naming the owner, if it is taken.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise Unavailable(f"cannot write {path}.lock: {error.strerror}; fix: choose another folder") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = _owner(self._handle)
            os.close(self._handle)
            fix = "wait for it, or write under another name"
            raise Unavailable(f"{path} is being written by {owner}; fix: {fix}") from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        _held.add(self._handle)

    def release(self) -> None:
        if self._handle in _held:
            _held.discard(self._handle)
            os.close(self._handle)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _owner(handle: int) -> str:
    try:
        owner = json.loads(os.pread(handle, 4096, 0))
        return f"process {owner['pid']} on {owner['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"  # it has the lock and is about to write its name


_held: set[int] = set()


def _let_go() -> None:
    # A forked child shares the lock's file description and would keep a dead parent's lock alive.
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
