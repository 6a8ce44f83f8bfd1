"""What an evaluation was made with: found in the model's own files, and None where a model does not tell."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from orchestra.digest import file_digest
from orchestra.errors import BadInput
from orchestra.evaluation.equal_budget.flops import parameters
from orchestra.evaluation.provenance import speakers, versions
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.topologies import solo


class Local(Scripted):
    """A model with a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(["91"], name="local")
        self.folder = folder


def test_digests_and_size_of_a_model_in_a_folder(tmp_path: Path) -> None:
    save_file({"a": np.zeros((3, 4), np.float32), "b": np.zeros(5, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    model = Local(tmp_path)
    (found,) = speakers([solo(generator(model))]).values()
    assert found["parameters"] == parameters(model) == 17
    assert found["tokenizer"] == file_digest(tmp_path / "tokenizer.json")
    assert found["template"] == file_digest(tmp_path / "chat_template.jinja")
    assert (found["weights"], found["repeatable"]) == (model.weights(), "exact")
    before = found["template"]
    (tmp_path / "chat_template.jinja").write_text("{{ other }}")
    assert speakers([solo(generator(model))])["generator@0"]["template"] != before


def test_a_template_within_the_tokenizers_configuration(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    assert speakers([solo(generator(Local(tmp_path)))])["generator@0"]["template"]


def test_what_is_not_told_is_none() -> None:
    (found,) = speakers([solo(generator(Scripted(["91"])))]).values()
    assert [found[name] for name in ("tokenizer", "template", "parameters", "adapter")] == [None] * 4
    with pytest.raises(BadInput, match="--match tokens"):
        parameters(SimpleNamespace(name="remote"))  # type: ignore[arg-type]


def test_versions_name_what_computes() -> None:
    assert {"python", "system", "orchestra-teams", "numpy"} <= versions().keys()
