"""Two files that must agree, and the two official figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData
from orchestra.evals import pubmedqa
from orchestra.evals.pubmedqa import ANSWERS, macro_f1


def written(folder: Path, truth: object, **changes: Any) -> Path:
    entries = {
        str(i): {
            "QUESTION": f"Does {i} help?",
            "CONTEXTS": ["Some", "words"],
            "final_decision": ANSWERS[i % 3],
            **changes,
        }
        for i in range(9)
    }
    (folder / "test_ground_truth.json").write_text(json.dumps(truth), "utf-8")
    (folder / "ori_pqal.json").write_text(json.dumps(entries, indent=1), "utf-8")
    return folder / "ori_pqal.json"


def test_the_test_is_all_and_only_what_the_ground_truth_names(tmp_path: Path) -> None:
    file = written(tmp_path, {"4": "no", "6": "yes"})
    tasks = pubmedqa().load(file, split="test")
    assert [(task.id, task.gold) for task in tasks] == [("pubmedqa/test/4", "no"), ("pubmedqa/test/6", "yes")]
    assert tasks[0].prompt == "Some\nwords\nDoes 4 help? Answer yes, no or maybe."
    train = pubmedqa().load(file, split="train")
    assert [task.id.rpartition("/")[2] for task in train] == ["0", "1", "2", "3", "5", "7", "8"]
    check_benchmark(pubmedqa(), loaded=train)


@pytest.mark.parametrize("truth", [{"99": "no"}, {"4": "yes"}, {}, []], ids=str)
def test_files_that_do_not_agree_are_refused(tmp_path: Path, truth: object) -> None:
    with pytest.raises(BadData, match="expected"):
        pubmedqa().load(written(tmp_path, truth), split="train")


def test_without_the_ground_truth_nothing_is_taken_for_training(tmp_path: Path) -> None:
    file = written(tmp_path, {"4": "no"})
    (tmp_path / "test_ground_truth.json").unlink()
    with pytest.raises(BadData, match="test_ground_truth"):
        pubmedqa().load(file, split="train")


@pytest.mark.parametrize("change", [{"final_decision": "perhaps"}, {"CONTEXTS": "words"}, {"QUESTION": None}], ids=str)
def test_an_entry_of_another_form_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BadData, match=r"ori_pqal\.json: 0: expected"):
        pubmedqa().load(written(tmp_path, {"4": "no"}, **change), split="test")


def slow_macro_f1(golds: Sequence[str], answers: Sequence[str | None]) -> float:
    total = 0.0
    for label in ANSWERS:
        pairs = list(zip(golds, answers, strict=True))
        hits = sum(gold == label == answer for gold, answer in pairs)
        said, wanted = sum(answer == label for _, answer in pairs), sum(gold == label for gold, _ in pairs)
        precision, recall = hits / said if said else 0.0, hits / wanted if wanted else 0.0
        total += 2 * precision * recall / (precision + recall) if hits else 0.0
    return total / 3


def test_macro_f1() -> None:
    """A team that always says yes: accuracy 0.552 and macro-F1 (2 x 0.552 / 1.552) / 3."""
    golds = ["yes"] * 276 + ["no"] * 169 + ["maybe"] * 55
    assert macro_f1(golds, ["yes"] * 500) == pytest.approx(2 * 0.552 / 1.552 / 3)
    assert macro_f1(golds, golds) == 1.0
    assert macro_f1(golds, [None] * 500) == 0.0
    answers = [(*ANSWERS, None)[i * i % 4] for i in range(500)]
    assert macro_f1(golds, answers) == pytest.approx(slow_macro_f1(golds, answers))
