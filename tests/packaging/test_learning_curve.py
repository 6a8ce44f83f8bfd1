"""The plot of learning curves, on a run's own steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import learning_curve

STEP = {"reward": 0.5, "kl": 0.01, "entropy": 1.0, "kept": 8, "explained": None}


def test_a_line_a_run(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name, gain in (("trained", 0.1), ("control", 0.0)):
        (tmp_path / name).mkdir()
        steps = [json.dumps({**STEP, "reward": 0.2 + gain * at}) for at in range(6)]
        (tmp_path / name / "steps.jsonl").write_text("\n".join(steps) + "\n")
    out = tmp_path / "curve.svg"
    assert learning_curve.main([str(tmp_path / "trained"), str(tmp_path / "control"), "--output", str(out)]) == 0
    drawn = out.read_text()
    assert "<!-- trained -->" in drawn and "<!-- control -->" in drawn and "<!-- reward of the team -->" in drawn


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_folder_without_steps_is_one_line(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "steps.jsonl").write_text(text)
    assert learning_curve.main([str(tmp_path), "--output", str(tmp_path / "c.svg")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: expected steps") and said.count("\n") == 1
