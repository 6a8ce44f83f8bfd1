"""From raw option scores to a distribution over the options, and how far such a distribution may be believed: pure
arithmetic, shared by whoever chooses.

A raw summed log-probability also says how likely an option is in itself, and where it stood in the list. The
corrections here take both away before the softmax: contextual calibration (Zhao et al. 2021, arXiv 2102.09690; here
the difference of log-probabilities, their diagonal W = 1 / p(option | content-free prompt)) and the mean over orders
of the options.

Whether probabilities mean what they say is measured by the expected calibration error (Naeini et al. 2015, Guo et al.
2017, arXiv 1706.04599) over bins of equal mass (Nixon et al. 2019, arXiv 1904.01685), and by the score of Brier 1950.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orchestra.errors import BadInput
from orchestra.types import Request


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is corrected for; by default nothing."""

    nulls: tuple[str, ...] = ()
    """Content-free texts, such as "N/A", put in the place of the last user message; their mean probability is divided
    out."""
    orders: Callable[[Request], Sequence[Request]] | None = None
    """The same question with its options listed in other orders (`rotations`); scores are averaged over all it
    returns."""
    temperature: float = 1.0
    """Divides the corrected scores; above 1 flattens, > 0."""

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < math.inf:
            raise BadInput(f"expected a calibration temperature > 0, got {self.temperature!r}")


def log_softmax(scores: Sequence[float], temperature: float = 1.0) -> tuple[float, ...]:
    """Normalised log-probabilities of scores / temperature.

    >>> [round(math.exp(x), 3) for x in log_softmax((0.0, math.log(3)))]
    [0.25, 0.75]
    """
    scaled = [score / temperature for score in scores]
    top = max(scaled)
    total = top + math.log(math.fsum(math.exp(score - top) for score in scaled))
    return tuple(score - total for score in scaled)


def log_mean(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Column-wise logarithm of the mean probability, each row normalised first."""
    means = [math.fsum(math.exp(x) for x in column) / len(rows) for column in zip(*map(log_softmax, rows), strict=True)]
    return tuple(math.log(mean) if mean > 0.0 else -math.inf for mean in means)


def calibrated(
    orders: Sequence[Sequence[float]], nulls: Sequence[Sequence[float]], temperature: float
) -> tuple[float, ...]:
    """Log-probabilities of the options. `orders`: raw scores under each order, `nulls`: under each content-free text,
    all with the options in one order. An option that is impossible under every null keeps its raw score."""
    scores = [math.fsum(column) / len(column) for column in zip(*orders, strict=True)]
    if nulls:
        base = log_mean(nulls)
        scores = [score - prior if prior > -math.inf else score for score, prior in zip(scores, base, strict=True)]
    return log_softmax(scores, temperature)


def null_request(request: Request, text: str) -> Request:
    """`request` with its last user message replaced by a content-free text. Raises BadInput where there is none."""
    last = max((at for at, (role, _) in enumerate(request.messages) if role == "user"), default=None)
    if last is None:
        raise BadInput(
            f"expected a user message to replace by {text!r}, got none among {len(request.messages)} messages"
        )
    return replace(request, messages=(*request.messages[:last], ("user", text), *request.messages[last + 1 :]))


def rotations(request: Request) -> tuple[Request, ...]:
    """Every cyclic order of the options where the last message lists them one a line, bare or behind "- ".

    The first is the request itself. Raises BadInput where some option has no line of its own.
    """
    role, content = request.messages[-1]
    lines = content.split("\n")
    bare = [line.strip().removeprefix("- ") for line in lines]
    places = [bare.index(option) if option in bare else -1 for option in request.options]
    if -1 in places:
        missing = request.options[places.index(-1)]
        raise BadInput(
            f"expected every option on a line of its own, got none for {missing!r}; fix: list it in the prompt"
        )
    slots = sorted(places)
    listed = [lines[at] for at in slots]
    turned = []
    for shift in range(len(slots)):
        for at, line in zip(slots, listed[shift:] + listed[:shift], strict=True):
            lines[at] = line
        turned.append(replace(request, messages=(*request.messages[:-1], (role, "\n".join(lines)))))
    return tuple(turned)


def calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = 15) -> float:
    """Mean distance between confidence and accuracy in bins of equally many answers, weighted by their number; 0 to 1.

    Equal confidences share a bin, so the order of the answers does not matter. Raises BadInput for no answers, and for
    confidences outside of 0 to 1. Upward biased where bins hold few answers.

    >>> round(calibration_error([0.9, 0.9, 0.9, 0.9], [True, True, True, False]), 9)  # sure of 90 %, right in 75 %
    0.15
    """
    _check_answers(len(confidences), len(right), confidences)
    if bins < 1:
        raise BadInput(f"expected at least one bin, got {bins!r}")
    groups: dict[float, list[bool]] = {}
    for confidence, hit in sorted(zip(confidences, right, strict=True)):
        groups.setdefault(confidence, []).append(hit)
    gaps, passed = [0.0] * bins, 0
    for confidence, hits in groups.items():
        middle = passed + len(hits) / 2  # the bin of a group is that of its middle rank
        gaps[min(int(bins * middle / len(right)), bins - 1)] += sum(hits) - confidence * len(hits)
        passed += len(hits)
    return math.fsum(map(abs, gaps)) / len(right)


def brier(rows: Sequence[Sequence[float]], truths: Sequence[int]) -> float:
    """Mean squared distance between the probabilities of the options and the truth, summed over the options: 0 to 2.

    `truths`: the index of the right option of each row. Raises BadInput as `calibration_error` does.

    >>> brier([(1.0, 0.0), (0.5, 0.5)], [0, 1])
    0.25
    """
    _check_answers(len(rows), len(truths), [p for row in rows for p in row])
    told = zip(rows, truths, strict=True)
    return math.fsum((p - (at == truth)) ** 2 for row, truth in told for at, p in enumerate(row)) / len(rows)


def _check_answers(answers: int, outcomes: int, probabilities: Sequence[float]) -> None:
    if not answers or answers != outcomes:
        raise BadInput(f"expected as many outcomes as answers, and at least one, got {outcomes} of {answers}")
    if wrong := [p for p in probabilities if not 0.0 <= p <= 1.0]:
        raise BadInput(f"expected probabilities from 0 to 1, got {wrong[0]!r}")
