r"""Competition mathematics, answered in notation inside a box (MATH, Hendrycks et al., arXiv 2103.03874; MATH-500).

A row of MATH-500; MATH itself is a folder of files with `problem, level, type, solution`, where the last box of the
solution is the answer:

    {"problem": "Evaluate $(1+2i)6-3i$.", "level": "Level 3", "solution": "... $(1+2i)6-3i=6+12i-3i=\\boxed{6+9i}$.",
     "subject": "Algebra", "unique_id": "test/algebra/1098.json", "answer": "6+9i"}

Test 5,000 problems of 7 subjects, or 500 of them. The rights in the problems are disputed, so only the loader is here.
Strict: the last box, equal in the normal form of `orchestra.answers.text`; flexible: also a marked answer or the last
line, and what `orchestra.evaluation.sources.algebra` finds equal, as in `1+i` and `i+1`.

The sample is our own; a fraction is in lowest terms, and an answer that is not counts as wrong.

| level | family         | item                             | facts | chance |
|-------|----------------|----------------------------------|-------|--------|
| 0     | square         | a^2 + b                          | 385   | 0.02   |
| 0     | shift          | solve x + a = b                  | 400   | 0.06   |
| 1     | power          | a^n - b                          | 400   | 0.02   |
| 1     | linear         | solve ax + b = c, x whole        | 400   | 0.06   |
| 2     | exponents      | x^a times x^b over x^c           | 400   | 0.07   |
| 2     | like_fractions | a/n + b/n                        | 400   | 0.02   |
| 3     | fractions      | a/b + c/d                        | 400   | 0.04   |
| 3     | both_sides     | solve ax + b = cx + d, x whole   | 400   | 0.09   |
| 4     | quotients      | a/b times c/d over e/f           | 400   | 0.02   |
| 4     | ratio          | solve ax + b = cx + d, not whole | 400   | 0.03   |

Chance is the share of the commonest gold, rounded up. A fact is a form and its numbers in any order and of any sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from orchestra.answers import extract, extract_strict
from orchestra.evaluation.benchmark import Score, grade
from orchestra.evaluation.sources.algebra import same_value
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import Dice, Family, Generated, Item, Source
from orchestra.types import Task

FACTS: Final = 400
"""Most facts of one family."""
DRAWS: Final = 4000
"""Most draws for them."""


class Question(NamedTuple):
    """A drawn exercise."""

    text: str
    gold: str
    numbers: tuple[int, ...]


def latex(value: Fraction) -> str:
    r"""A rational number as MATH writes its answers.

    >>> latex(Fraction(-6, 8)), latex(Fraction(4))
    ('-\\frac{3}{4}', '4')
    """
    sign = "-" if value < 0 else ""
    return str(value) if value.denominator == 1 else rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _signed(number: int) -> str:
    return f"{'-' if number < 0 else '+'} {abs(number)}"


def _square(dice: Dice) -> Question:
    a, b = 2 + dice.below(11), 1 + dice.below(40)
    return Question(f"Evaluate ${a}^2 + {b}$.", str(a * a + b), (a, b))


def _shift(dice: Dice) -> Question:
    a, b = 1 + dice.below(30), 1 + dice.below(30)
    return Question(f"Solve for $x$: $x + {a} = {b}$.", str(b - a), (a, b))


def _power(dice: Dice) -> Question:
    a, n, b = 2 + dice.below(5), 2 + dice.below(4), 1 + dice.below(60)
    return Question(f"Evaluate ${a}^{n} - {b}$.", str(a**n - b), (a, n, b))


def _linear(dice: Dice) -> Question | None:
    a, b, c = 2 + dice.below(11), dice.below(61) - 30, dice.below(121) - 40
    x = Fraction(c - b, a)
    whole = x.denominator == 1 and x not in (0, 1) and b != 0
    return Question(f"Solve for $x$: ${a}x {_signed(b)} = {c}$.", str(x), (a, b, c)) if whole else None


def _exponents(dice: Dice) -> Question | None:
    a, b, c = 2 + dice.below(20), 2 + dice.below(20), 2 + dice.below(20)
    text = rf"Simplify $\frac{{x^{{{a}}} \cdot x^{{{b}}}}}{{x^{{{c}}}}}$."
    return Question(text, f"x^{{{a + b - c}}}", (a, b, c)) if a + b - c > 1 else None


def _like_fractions(dice: Dice) -> Question | None:
    n, a, b = 3 + dice.below(22), 1 + dice.below(20), 1 + dice.below(20)
    text = rf"Compute $\frac{{{a}}}{{{n}}} + \frac{{{b}}}{{{n}}}$ in lowest terms."
    value = Fraction(a + b, n)
    return Question(text, latex(value), (n, n, a, b)) if value.denominator > 1 else None


def _fractions(dice: Dice) -> Question | None:
    b, d = 2 + dice.below(11), 2 + dice.below(11)
    a, c = 1 + dice.below(b - 1), 1 + dice.below(d - 1)
    value = Fraction(a, b) + Fraction(c, d)
    text = rf"Compute $\frac{{{a}}}{{{b}}} + \frac{{{c}}}{{{d}}}$ in lowest terms."
    return Question(text, latex(value), (a, b, c, d)) if b != d and value.denominator > 1 else None


def _sides(dice: Dice, whole: bool) -> Question | None:
    a, c, b, d = 2 + dice.below(9), 2 + dice.below(9), dice.below(41) - 20, dice.below(41) - 20
    if a == c or 0 in (b, d):
        return None
    x = Fraction(d - b, a - c)
    fits = x.denominator == 1 and x not in (-1, 0, 1) if whole else x.denominator > 2
    return (
        Question(f"Solve for $x$: ${a}x {_signed(b)} = {c}x {_signed(d)}$.", latex(x), (a, b, c, d)) if fits else None
    )


def _quotients(dice: Dice) -> Question | None:
    a, b, c, d, e, f = (2 + dice.below(11) for _ in range(6))
    value = Fraction(a, b) * Fraction(c, d) / Fraction(e, f)
    text = rf"Compute $\frac{{{a}}}{{{b}}} \cdot \frac{{{c}}}{{{d}}} \div \frac{{{e}}}{{{f}}}$ in lowest terms."
    return Question(text, latex(value), (a, b, c, d, e, f)) if value.denominator > 2 else None


FORMS: Final[dict[str, tuple[str, Callable[[Dice], Question | None], float]]] = {
    "square": ("square", _square, 0.02),
    "shift": ("shift", _shift, 0.06),
    "power": ("power", _power, 0.02),
    "linear": ("linear", _linear, 0.06),
    "exponents": ("exponents", _exponents, 0.07),
    "like_fractions": ("fractions", _like_fractions, 0.02),
    "fractions": ("fractions", _fractions, 0.04),
    "both_sides": ("sides", partial(_sides, whole=True), 0.09),
    "quotients": ("quotients", _quotients, 0.02),
    "ratio": ("sides", partial(_sides, whole=False), 0.03),
}
"""Family -> the form that names its facts, what draws one, and its chance. One form in two families has one split."""
LEVELS: Final = (
    ("square", "shift"),
    ("power", "linear"),
    ("exponents", "like_fractions"),
    ("fractions", "both_sides"),
    ("quotients", "ratio"),
)


def _items(family: str) -> Iterator[Item]:
    form, draw, _ = FORMS[family]
    met = set[tuple[str, ...]]()
    for number in range(DRAWS):
        question = draw(Dice("math", family, str(number)))
        if question is None:
            continue
        fact = ("math", form, *map(str, sorted(map(abs, question.numbers))))
        if fact in met:
            continue
        met.add(fact)
        yield Item(fact, question.text, question.gold)
        if len(met) == FACTS:
            return


def _read(path: Path) -> Iterator[Task]:
    """A file of rows, or a folder of files with one problem each."""
    for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
        for where, row in rows(file):
            problem, solution = row.get("problem"), row.get("solution")
            gold = row.get("answer") or (extract_strict(solution, "text") if isinstance(solution, str) else None)
            if not isinstance(problem, str) or not isinstance(gold, str):
                refuse(where, '"problem" and "answer", or a "solution" with a box', row)
            subject = str(row.get("subject") or row.get("type") or "")
            own = file.relative_to(path) if path.is_dir() else f"{path.stem}:{where.rpartition(':')[2]}"
            yield Task(str(row.get("unique_id") or own), problem, gold, "text", family=subject)


def _score(task: Task, text: str | None) -> Score:
    """As usual, and right under the flexible rule too where the value is the gold's."""
    score = grade(task, text)
    if score.flexible == 0.0 and score.parsed and same_value(extract(text or "", "text") or "", str(task.gold)):
        return score._replace(flexible=1.0)
    return score


SOURCE: Final = Source(
    name="math",
    kind="text",
    families={name: Family(partial(_items, name), chance) for name, (_, _, chance) in FORMS.items()},
    levels=LEVELS,
    read=_read,
    score=_score,
)


def math(family: str = "") -> Generated:
    r"""Mathematics in notation, of one family if given; UnknownName where there is no such family.

    >>> [task] = math("fractions").sample(1, split="train")
    >>> print(task.prompt, task.gold)
    Compute $\frac{7}{8} + \frac{7}{9}$ in lowest terms. \frac{119}{72}
    """
    return Generated(SOURCE, family)
