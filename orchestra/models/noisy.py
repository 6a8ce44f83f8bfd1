"""A noisy oracle: a scripted model that is right as often as it is told, so that what a team comes to can be computed.

It knows the answers of every task, the right one first; its errors fall evenly on the others. What it says depends on
the text and the seed of the request alone, so a run of it repeats.

It reads a request as a person would: the task is the one whose prompt stands there, and what it was shown are the
answers of that task that stand there too, in their order. So an answer must be one word of letters and digits that no
prompt holds; `problems` makes such tasks.

How it behaves is a function from what it was asked to what it says: `solver`, `verifier`, `refiner`, `judge`, `ranker`
and `rating` are here, and any other can be written beside them.

    answers = problems(2000)
    agent = generator(Noisy(answers, solver(0.6)))
    run(self_consistency(agent, n=5), tasks(answers)[0])      # right with probability 0.683
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestra.digest import digest
from orchestra.errors import BadInput
from orchestra.models.noise import uniform
from orchestra.models.scripted import Scripted
from orchestra.types import Request, Task

Answers = Mapping[str, Sequence[str]]
"""Prompt of a task -> its answers: the right one, then the wrong ones."""

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the oracle reads it."""

    task: str
    """Prompt of the task that it is about."""
    answers: Sequence[str]
    """Of that task; the right one first."""
    text: str
    """The last turn, without the prompt of the task."""
    heard: tuple[str, ...]
    """Answers of the task that stand in the text, in order, each as often as it does."""
    seed: int

    def chance(self, name: str) -> float:
        """A number in [0, 1) of its own; another name gives another, the same request gives the same again."""
        return _named(name, str(self.seed))

    def common(self, name: str) -> float:
        """A number in [0, 1) that all who are asked about this task have in common."""
        return _named(name, self.task)

    def right(self, answer: str) -> bool:
        return answer == self.answers[0]


Say = Callable[[Asked], str]
"""A behaviour."""
Prefer = Callable[[Asked, str], float]
"""Log-probability of an option, for choices among a closed set."""


class Noisy(Scripted):
    """A model of one behaviour, over the answers of all tasks that it may be asked about.

    >>> import asyncio
    >>> model = Noisy({"2 + 2?": ("4", "5")}, solver(1.0))
    >>> asyncio.run(model.generate([Request((("user", "Be brief.\\n2 + 2?"),))]))[0].text
    'Answer: 4'
    """

    def __init__(self, answers: Answers, say: Say, *, prefer: Prefer | None = None, name: str = "noisy") -> None:
        def read(request: Request) -> Asked:
            text = request.messages[-1][1]
            task = _task(text, answers)
            rest = text.replace(task, "", 1)
            known = set(answers[task])
            heard = tuple(word for word in _WORD.findall(rest) if word in known)
            return Asked(task, answers[task], rest, heard, request.seed)

        super().__init__(
            lambda request: say(read(request)),
            name=name,
            preference=(lambda request, option: prefer(read(request), option)) if prefer else None,
        )


def solver(p: float, *, rho: float = 0.0, follow: float = 0.0) -> Say:
    """Answers, right with probability p.

    With probability `rho` it takes its answer, right or wrong, from the source that all solvers of the task share: two
    that are right as often are then correlated by rho squared. With probability `follow`, where it was shown answers,
    it repeats the most frequent of them, of equally frequent ones the first, and does not think for itself.
    """
    _probabilities(p=p, rho=rho, follow=follow)

    def say(asked: Asked) -> str:
        if asked.heard and asked.chance("follow") < follow:
            return _said(Counter(asked.heard).most_common(1)[0][0])
        return _said(_guess(asked, p, rho))

    return say


def verifier(sensitivity: float, specificity: float, *, words: tuple[str, str] = ("Yes.", "No.")) -> Say:
    """Judges the last answer that it was shown: accepts a right one with probability `sensitivity`, rejects a wrong one
    with probability `specificity`. Where it was shown none it rejects."""
    _probabilities(sensitivity=sensitivity, specificity=specificity)

    def say(asked: Asked) -> str:
        right = bool(asked.heard) and asked.right(asked.heard[-1])
        accepts = asked.chance("verdict") < (sensitivity if right else 1 - specificity)
        return words[not (accepts and asked.heard)]

    return say


def refiner(p: float, *, accepted: str = "yes") -> Say:
    """Repeats the last answer that it was shown where the word of a verdict that accepts stands there too; otherwise it
    answers anew, right with probability p."""
    _probabilities(p=p)

    def say(asked: Asked) -> str:
        keeps = asked.heard and accepted in _WORD.findall(asked.text.lower())
        return _said(asked.heard[-1] if keeps else _guess(asked, p, 0.0))

    return say


def judge(accuracy: float) -> Say:
    """Gives a right answer, with probability `accuracy`, if it was shown one; otherwise any of those shown, by lot.

    Where it was shown none it says so.
    """
    _probabilities(accuracy=accuracy)

    def say(asked: Asked) -> str:
        if not asked.heard:
            return "No answer."
        if asked.answers[0] in asked.heard and asked.chance("judge") < accuracy:
            return _said(asked.answers[0])
        return _said(asked.heard[int(asked.chance("lot") * len(asked.heard))])

    return say


def ranker(accuracy: float) -> Say:
    """The numbers of the answers that it was shown, best first, counted from 1 (`2 1 3`): with probability `accuracy`
    the right ones before the wrong ones, each in the order shown; otherwise any order, by lot."""
    _probabilities(accuracy=accuracy)

    def say(asked: Asked) -> str:
        places = range(len(asked.heard))
        if asked.chance("rank") < accuracy:
            order = sorted(places, key=lambda i: not asked.right(asked.heard[i]))
        else:
            order = sorted(places, key=lambda i: asked.chance(f"lot {i}"))
        return " ".join(str(i + 1) for i in order)

    return say


def rating(say: Say, accuracy: float) -> Say:
    """What `say` says, and below it a rating of each answer shown, in order: with probability `accuracy` 5 for a right
    one and 1 for a wrong one, otherwise the other way round."""
    _probabilities(accuracy=accuracy)

    def rated(asked: Asked) -> str:
        fair = [asked.chance(f"rate {i}") < accuracy for i in range(len(asked.heard))]
        marks = ["5" if asked.right(a) == f else "1" for a, f in zip(asked.heard, fair, strict=True)]
        return f"{say(asked)}\nRatings: {' '.join(marks)}" if marks else say(asked)

    return rated


def problems(n: int, *, wrong: int = 3, first: int = 0) -> dict[str, tuple[str, ...]]:
    """Answers of n tasks without content, each with so many wrong ones, at most 9; `first` numbers the first.

    >>> problems(2, wrong=2)
    {'Question 0?': ('7000000', '7000001', '7000002'), 'Question 1?': ('7000010', '7000011', '7000012')}
    """
    if not (n >= 1 and 1 <= wrong <= 9 and 0 <= first <= 100_000 - n):
        raise BadInput(
            f"problems({n!r}, wrong={wrong!r}, first={first!r}): expected 1 to 9 wrong answers, 100,000 tasks"
        )
    numbers = range(first, first + n)
    return {f"Question {i}?": tuple(str(7_000_000 + 10 * i + k) for k in range(wrong + 1)) for i in numbers}


def tasks(answers: Answers) -> list[Task]:
    """The tasks that these are the answers of; their id is their prompt."""
    return [Task(prompt, prompt, gold=known[0], kind="number") for prompt, known in answers.items()]


def _guess(asked: Asked, p: float, rho: float) -> str:
    number = asked.common if asked.chance("source") < rho else asked.chance
    if number("right") < p:
        return asked.answers[0]
    wrong = asked.answers[1:]
    return wrong[int(number("which") * len(wrong))]


def _said(answer: str) -> str:
    return f"Answer: {answer}"


def _task(text: str, answers: Answers) -> str:
    """The prompt that is a line of the text, or else the longest that stands in it."""
    found = next((line for line in text.splitlines() if line in answers), None)
    found = found or max((prompt for prompt in answers if prompt in text), key=len, default=None)
    if found is None:
        raise BadInput(f"the noisy oracle was asked {text[:80]!r}, which holds the prompt of none of its tasks")
    return found


def _named(*parts: str) -> float:
    return uniform(int(digest(*parts)[:15], 16), 0)


def _probabilities(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and 0.0 <= value <= 1.0):
            raise BadInput(f"{name} = {value!r}: expected a probability, from 0 to 1")
