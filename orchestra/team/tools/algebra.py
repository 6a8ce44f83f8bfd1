"""Algebra by SymPy, in a process of its own that is ended when a formula takes too long or too much memory.

A formula is read here, by a closed grammar, and only then sent; what it may call is closed too. But no grammar bounds
what simplification costs, so the process has a limit of memory and each formula one of seconds. The process is started
by the first formula, with the library, and serves all runs, one formula at a time.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from typing import Final

from orchestra.errors import CallFailed, Unavailable, missing_extra
from orchestra.team.registry import register
from orchestra.team.tools.formula import read, refused

FUNCTIONS: Final = (
    "abs", "binomial", "ceil", "cos", "diff", "exp", "expand", "factor", "factorial", "floor", "gcd", "integrate",
    "lcm", "limit", "log", "max", "min", "numeric", "simplify", "sin", "solve", "sqrt", "sum", "tan",
)  # fmt: skip
"""What a formula may call; `orchestra.team.tools.algebra_process` says what each does."""
SECONDS: Final = 5.0
"""For one formula."""
STARTING: Final = 120.0
"""Seconds for the process to come up."""


@register("algebra")
def algebra(text: str) -> str:
    """The value of a formula over numbers and symbols. Unparseable for what is no formula or has no value, CallFailed
    for one that takes too long.

    >>> algebra("solve([x + y == 10, x - y == 2], [x, y])"), algebra("diff(x^3, x)")
    ('x = 6, y = 4', '3*x**2')
    """
    return within(SECONDS, text)


def within(seconds: float, text: str) -> str:
    """The same, with so much time."""
    read(text, FUNCTIONS)
    value, error = _process.ask(text, seconds)
    if error:
        raise refused(text, "a value", error)
    return value


class _Process:
    """The process that computes, started when it is needed, and again after it was ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None

    def ask(self, text: str, seconds: float) -> tuple[str, str]:
        """The value of a formula, or what is wrong with it."""
        with self._lock:
            if self._running is not None and self._running.poll() is not None:
                self.end()  # its time was over just as it answered
            running = self._running or self._start()
            line = _answer(running, json.dumps(text), seconds)
            if not line:
                self.end()
                raise CallFailed(
                    f"formula {' '.join(text.split())[:60]!r}: no value within {seconds:g} s and its memory"
                )
        value, error = json.loads(line)
        return str(value), str(error)

    def end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.kill()
            running.communicate()

    def _start(self) -> subprocess.Popen[str]:
        if find_spec("sympy") is None:
            raise missing_extra("local", "sympy")
        words = [sys.executable, "-m", "orchestra.team.tools.algebra_process"]
        self._running = subprocess.Popen(  # noqa: S603  (our own module)
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},  # some answers come in the order of a set
        )
        if not _answer(self._running, json.dumps("0"), STARTING):
            self.end()
            raise Unavailable(f"{' '.join(words[1:])} did not start; run it by hand to see why")
        return self._running


def _answer(running: subprocess.Popen[str], line: str, seconds: float) -> str:
    """What it answers to a line; empty: it was ended, by itself or because time was over."""
    assert running.stdin is not None
    assert running.stdout is not None
    timer = threading.Timer(seconds, running.kill)
    timer.start()
    try:
        running.stdin.write(f"{line}\n")
        running.stdin.flush()
        return running.stdout.readline()
    except BrokenPipeError:
        return ""
    finally:
        timer.cancel()


_process: Final = _Process()
atexit.register(_process.end)
