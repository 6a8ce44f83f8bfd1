"""The model cache from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_a_model_is_listed_as_cached_once_it_was_pulled(
    orchestra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRA_CACHE", str(tmp_path / "cache"))
    before = {model["name"]: model for model in orchestra("models", "list", "--json").json["models"]}
    assert {"smollm2", "tiny"} <= before.keys()
    assert before["tiny"]["folder"] is None

    (pulled,) = orchestra("models", "pull", "tiny", "--json").json["models"]
    after = {model["name"]: model for model in orchestra("models", "list", "--json").json["models"]}
    assert after["tiny"]["folder"] == pulled["folder"] and after["tiny"]["bytes"] == pulled["bytes"] > 200_000
    assert after["smollm2"]["folder"] is None

    (Path(pulled["folder"]) / "config.json").unlink()  # a torn folder is not cached
    damaged = {model["name"]: model for model in orchestra("models", "list", "--json").json["models"]}
    assert damaged["tiny"]["folder"] is None
