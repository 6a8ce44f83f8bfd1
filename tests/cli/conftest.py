"""The program as a person meets it: words in; exit code, stdout and stderr out. Each test has a folder of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestra.cli.app import main
from orchestra.models import scripted
from orchestra.models.scripted import Scripted
from orchestra.types import Request


class Said(NamedTuple):
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout; anything else there fails."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Orchestra = Callable[..., Said]


@pytest.fixture
def orchestra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Orchestra:
    """Runs a command line in an empty folder that holds `s.txt`, a script of three replies."""
    monkeypatch.chdir(tmp_path)
    Path("s.txt").write_text("The answer is 91.\nYes.\nThe answer is 92.\n")

    def run(*words: str) -> Said:
        code = main(words)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """A folder with adapters of two policies, as training publishes them, for a model that has no weights."""
    from orchestra.learning import publish

    def fill(folder: Path) -> None:
        (folder / "adapter_model.safetensors").write_bytes(b"weights")

    for name in ("generator", "citizen"):
        publish(
            tmp_path / "adapters",
            name,
            fill,
            base_digest="another base",
            data_digest="",
            config={},
            metrics={},
            parents=[],
        )
    return tmp_path / "adapters"


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--model scripted:...` adds right where it is asked first, and is wrong where it sees a proposal."""

    def say(request: Request) -> str:
        text = request.messages[-1][1]
        if "Proposed" in text:
            return "Yes, it may well be that the answer is 0"
        if "best" in text:
            return "1"
        return f"#### {sum(map(int, re.findall('[0-9]+', text)[:2]))}"

    def load(path: Path) -> Scripted:
        return Scripted(say, name=f"scripted:{path}")

    monkeypatch.setattr(scripted, "load", load)
