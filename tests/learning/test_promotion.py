"""Promotion between adapter folders: versions, what is recorded, and going on after a stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.errors import BadData
from orchestra.learning import promotion
from orchestra.learning.adapters import bind, read_manifest
from orchestra.learning.promotion import promote
from orchestra.learning.publishing import publish


def trained(folder: Path, **weights: str) -> Path:
    """An adapter folder with a policy of each name."""
    for policy, words in weights.items():

        def fill(into: Path, words: str = words) -> None:
            (into / "adapter_model.safetensors").write_text(words)

        publish(folder, policy, fill, base_digest="b", data_digest="d", config={"lr": 0.1}, metrics={"rows": 3})
    return folder


def weights(folder: Path) -> dict[str, str]:
    return {name: (at.folder / "adapter_model.safetensors").read_text() for name, at in bind(folder).items()}


def test_what_is_promoted_stands_and_the_predecessor_is_kept(tmp_path: Path) -> None:
    first, second = trained(tmp_path / "1", a="a1", b="b1"), trained(tmp_path / "2", a="a2")
    promote(first, tmp_path / "s", {"p": 0.01})
    entries = promote(second, tmp_path / "s", {"p": 0.02, "n": 60})
    assert weights(tmp_path / "s") == {"a": "a2", "b": "b1"}
    assert entries["a"].config == {"lr": 0.1, "replaces": "a@1"}
    assert entries["b"].config == {"lr": 0.1, "replaces": "the base"}
    assert entries["a"].metrics == {"rows": 3, "gate_p": 0.02, "gate_n": 60}
    assert (tmp_path / "s" / "a@1" / "adapter_model.safetensors").read_text() == "a1"
    assert "| replaces | a@1 |" in (tmp_path / "s" / "a" / "README.md").read_text()


def test_promoting_what_stands_changes_nothing(tmp_path: Path) -> None:
    first = trained(tmp_path / "1", a="a1")
    promote(first, tmp_path / "s", {"p": 0.01})
    before = (tmp_path / "s" / "manifest.json").read_bytes()
    promote(first, tmp_path / "s", {"p": 0.9})
    assert (tmp_path / "s" / "manifest.json").read_bytes() == before


def test_a_promotion_that_was_cut_off_is_finished_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = trained(tmp_path / "1", a="a1", b="b1"), trained(tmp_path / "2", a="a2", b="b2")
    promote(first, tmp_path / "s", {})
    calls = []

    def once(*arguments: object, **facts: object) -> object:
        calls.append(arguments[1])
        if len(calls) > 1:
            raise KeyboardInterrupt
        return publish(*arguments, **facts)  # type: ignore[arg-type]

    monkeypatch.setattr(promotion, "publish", once)
    with pytest.raises(KeyboardInterrupt):
        promote(second, tmp_path / "s", {})
    assert weights(tmp_path / "s") == {"a": "a2", "b": "b1"}
    monkeypatch.undo()
    promote(second, tmp_path / "s", {})
    assert weights(tmp_path / "s") == {"a": "a2", "b": "b2"}
    assert {name: entry.version for name, entry in read_manifest(tmp_path / "s").policies.items()} == {"a": 2, "b": 2}


def test_a_damaged_candidate_does_not_stand(tmp_path: Path) -> None:
    first, second = trained(tmp_path / "1", a="a1"), trained(tmp_path / "2", a="a2")
    promote(first, tmp_path / "s", {})
    (second / "a@1" / "adapter_model.safetensors").write_text("x2")
    with pytest.raises(BadData, match="expected SHA-256"):
        promote(second, tmp_path / "s", {})
    assert weights(tmp_path / "s") == {"a": "a1"}
