"""A process that has loaded a system and answers orders: the other end of `answer.py`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
Figures = dict[str, Any]


class Child:
    """A process that has loaded a system. RuntimeError with its last words if it fails."""

    def __init__(self, python: str, setup: Figures) -> None:
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        if python != sys.executable:
            environment.pop("PYTHONPATH", None)  # what is on it belongs to another environment
        self._words = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  (lives as long as the process)
        self._process = subprocess.Popen(  # noqa: S603  (this very program, or what it installed)
            [python, "-m", "scripts.bench.peers.answer", json.dumps(setup)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            env=environment,
        )
        self._read()

    def __call__(self, order: Figures) -> Figures:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # reading tells why
            print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._read()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._words.close()

    def _read(self) -> Figures:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            said: Figures = json.loads(line)
            return said
        self._process.wait()
        self._words.seek(0)
        words = self._words.read().strip().splitlines()
        self.close()
        raise RuntimeError((words or [f"exit {self._process.returncode}"])[-1])
