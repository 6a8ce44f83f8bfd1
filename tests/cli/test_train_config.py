"""`orchestra train --config`: a name of ours, or a file of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.cli import train


@pytest.fixture
def told(orchestra, monkeypatch: pytest.MonkeyPatch):
    """What the launcher is told for some words."""
    seen: list[list[str]] = []
    monkeypatch.setattr(train, "_launched", lambda command, captured: (seen.append(command), (0, '{"steps": 1}\n'))[1])

    def of(*words: str) -> list[str]:
        assert orchestra("train", *words, "sft", "--json").code == 0
        command = seen.pop()
        return command[3 : next(at for at, word in enumerate(command) if word.endswith("sft.py"))]

    return of


def test_a_name_is_a_file_of_ours_and_alone_says_where(told, tmp_path: Path) -> None:
    assert told("--config", "zero2") == ["--config_file", str(train.CONFIGS["zero2"])]
    own = tmp_path / "own.yaml"
    own.write_text("")
    assert told("--config", str(own), "--processes", "8") == ["--config_file", str(own), "--num_processes", "8"]
    assert "--config_file" not in told("--processes", "2")


def test_the_threads_that_a_person_has_set_are_passed_on(told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    words = told("--processes", "2")
    assert words[words.index("--num_cpu_threads_per_process") + 1] == "5"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--config", "zero4"), "unknown configuration 'zero4'; did you mean 'zero"),
        (("--config", "cpu", "--cpu"), "--config and --cpu exclude each other; fix: --config cpu"),
    ],
)
def test_what_cannot_be_is_refused(orchestra, words: tuple[str, ...], message: str) -> None:
    code, out, err = orchestra("train", *words, "sft")[:3]
    assert (code, out) == (2, "") and message in err
