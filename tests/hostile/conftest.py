"""The program as it meets bad input: words in, one line out, and no model is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestra.cli.app import main
from orchestra.models.scripted import Scripted
from tests.hostile.refusal import Refused, assert_one_line


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; it holds `s.txt`, a script of one reply."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.txt").write_text("The answer is 91.\n")
    return tmp_path


@pytest.fixture
def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command line that must be refused before anything is begun, and gives its line on stderr."""
    asked: list[Any] = []

    async def ask(self: Scripted, requests: Any) -> Any:
        asked.append(requests)
        raise AssertionError("a model was asked")

    monkeypatch.setattr(Scripted, "generate", ask)
    monkeypatch.setattr(Scripted, "score", ask)

    def run(*words: str) -> str:
        code = main(words)
        out, err = capsys.readouterr()
        assert (code, out, asked) == (2, "", []), err
        assert_one_line(err)
        assert not (folder / "runs").exists(), "a run folder was begun"
        return err

    return run
