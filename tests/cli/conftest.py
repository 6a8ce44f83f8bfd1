"""The program as a person meets it: words in; exit code, stdout and stderr out. Each test has a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestra.cli.app import main


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
