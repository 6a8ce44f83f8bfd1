"""How far a model's choices may be believed: expected calibration error and Brier score on questions of `arith`, with
the raw probabilities of the options and with those divided by what the model says to a content-free question.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.models.calibration import Calibration, brier, calibration_error
from orchestra.models.choose import choose
from orchestra.models.model import Model
from orchestra.types import Request

NULLS: Final = ("N/A", "[MASK]", "")
"""Content-free texts, those of Zhao et al. 2021 (arXiv 2102.09690)."""
RULES: Final = {"raw": Calibration(), "null prompts": Calibration(nulls=NULLS)}


class Question(NamedTuple):
    """A request with options, and the index of the right one."""

    request: Request
    truth: int


def compare(n: int) -> list[Question]:
    """Which of two numbers is larger; the options are the numbers, in the order in which they are shown."""
    made = []
    for task in arith(family="compare").sample(n, split="test"):
        options = tuple(task.prompt.removeprefix("Which number is larger, ").removesuffix("?").split(" or "))
        made.append(_question(task.prompt, options, str(task.gold)))
    return made


def verdict(n: int) -> list[Question]:
    """Whether a sum is right; every other one is ten too large."""
    made = []
    for index, task in enumerate(arith(family="add2").sample(n, split="test")):
        said = int(task.gold) + 10 * (index % 2)
        prompt = f"{task.prompt} Somebody answered {said}. Is that right? Answer yes or no."
        made.append(_question(prompt, ("yes", "no"), ("yes", "no")[index % 2]))
    return made


KINDS: Final = {"compare": compare, "verdict": verdict}


def measure(model: Model, n: int) -> list[dict[str, Any]]:
    """For each kind of question and each rule: accuracy, confidence in what was chosen, calibration error, Brier score.

    Raises BadInput for a model that scores no options.
    """
    if "score" not in model.capabilities:
        raise BadInput(f"{model.name} scores no options; fix: leave out --calibration, or another --model")
    return [
        {"questions": kind, "n": n, "rule": rule, **_figures(asyncio.run(_rows(model, asked, calibration)), asked)}
        for kind, make in KINDS.items()
        for asked in [make(n)]
        for rule, calibration in RULES.items()
    ]


async def _rows(model: Model, asked: Sequence[Question], calibration: Calibration) -> list[list[float]]:
    """The probabilities of the options of each question."""
    made = await choose(model, calibration)([question.request for question in asked])
    return [[math.exp(score) for score in completion.scores] for completion in made]


def _figures(rows: Sequence[Sequence[float]], asked: Sequence[Question]) -> Mapping[str, float]:
    rows = [[min(p, 1.0) for p in row] for row in rows]  # exp of a rounded logarithm
    chosen = [row.index(max(row)) for row in rows]
    right = [at == question.truth for at, question in zip(chosen, asked, strict=True)]
    sure = [row[at] for row, at in zip(rows, chosen, strict=True)]
    return {
        "accuracy": sum(right) / len(right),
        "confidence": math.fsum(sure) / len(sure),
        "ece": calibration_error(sure, right),
        "brier": brier(rows, [question.truth for question in asked]),
    }


def _question(prompt: str, options: tuple[str, ...], right: str) -> Question:
    return Question(Request((("user", prompt),), options=options, temperature=0.0), options.index(right))
