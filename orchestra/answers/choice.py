"""One of a closed set: an option is named by itself or, where the options are not letters, by the letter of its place.

`choices` are the allowed answers in order, and the gold is one of them: labels ("A", "B", ...; "1", "2", ...), words
("yes", "no") or whole option texts. Without choices the labels A to E are allowed. Options are found as whole words
only, so "I do not know" names neither yes nor no; a letter counts only in upper case, unless it stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Final, NamedTuple

from orchestra.answers.reply import answer_line, boxed, marked

LABELS: Final = ("A", "B", "C", "D", "E")
_ENDS: Final = r"(?=\s*(?:[).:,;*}\]$\n]|\Z))"
_BEFORE: Final = r"(?<!\w)(?<![0-9]\.)"
_AFTER: Final = r"(?![\w'\u2019])"
_ARTICLE: Final = re.compile(r"\s+(?!(?:and|or|nor|is|was|because)\b)[a-z]")
_WRAPPED: Final = re.compile(r"\\(?:text|mathrm|textbf|mbox)\{([^{}]*)\}")


def strict(reply: str, choices: Sequence[str] = ()) -> str | None:
    """X of a last line "Answer: X"; else the reply, if it is nothing but an option; "(B)" and "B." count as B."""
    names = _names(tuple(choices) or LABELS)
    return names.option(names.alone.fullmatch(answer_line(reply) or reply.strip()))


def flexible(reply: str, choices: Sequence[str] = ()) -> str | None:
    """The strict answer; else the option in the last box; named first behind the last marker that names one; leading
    the reply ("B) because ..."); or the only one that the reply names at all.

    >>> flexible("I would rule out (A) and (C). The answer is (B), not (D)."), flexible("A or B")
    ('B', None)
    >>> flexible("Answer: A dog.\\nAnswer: B"), flexible("Answer: A dog.")
    ('B', None)
    >>> flexible("Answer: B", ("1", "2", "3", "4")), flexible("No, they did not.", ("yes", "no"))
    ('2', 'no')
    """
    if promised := strict(reply, choices):
        return promised
    names, box = _names(tuple(choices) or LABELS), boxed(reply)
    if box == "":
        return None
    if box and (inside := names.option(names.anywhere.search(box))):
        return inside
    for line in marked(reply):
        if stated := next(_named(names, line), None):
            return stated
    if leading := names.option(names.leading.match(reply.strip())):
        return leading
    named = set(_named(names, reply))
    return named.pop() if len(named) == 1 else None


def same(a: str, b: str) -> bool:
    r"""The same option; brackets, `\text{}` and case do not count, and a digit is the letter of its place.

    >>> same("C", r"\text{(C)}"), same("B", "2"), same("B", "D")
    (True, True, False)
    """
    return _label(a) == _label(b) != ""


def _label(answer: str) -> str:
    label = _WRAPPED.sub(r"\1", answer).strip().strip("().").strip().casefold()
    return ascii_lowercase[int(label) - 1] if label in tuple("123456789") else label


class _Names(NamedTuple):
    """How the options of one closed set are written: `anywhere` in prose, `leading` a reply, `alone` as the whole."""

    anywhere: re.Pattern[str]
    leading: re.Pattern[str]
    alone: re.Pattern[str]
    choices: tuple[str, ...]

    def option(self, match: re.Match[str] | None) -> str | None:
        return self.choices[int(match.lastgroup[1:])] if match and match.lastgroup else None


def _named(names: _Names, text: str) -> Iterator[str]:
    """The options that a text names, in its order; "A dog ..." and "I think ..." name none."""
    for match in names.anywhere.finditer(text):
        option = names.option(match)
        if option and not (match[0] in ("A", "I") and _ARTICLE.match(text, match.end())):
            yield option


@lru_cache(maxsize=1024)
def _names(choices: tuple[str, ...]) -> _Names:
    lettered = any(len(c.strip()) == 1 and c.strip().isalpha() for c in choices)
    letters = ("",) * len(choices) if lettered else (*ascii_uppercase, *("",) * len(choices))
    longest_first = sorted(range(len(choices)), key=lambda i: -len(choices[i]))
    name = "(?:" + "|".join(f"(?P<o{i}>{_spellings(choices[i].strip(), letters[i])})" for i in longest_first) + ")"
    return _Names(
        re.compile(_BEFORE + name + _AFTER),
        re.compile(r"[(*\s]*" + name + _AFTER + _ENDS),
        re.compile(rf"\(?{name}\)?\.?", re.IGNORECASE),
        choices,
    )


def _spellings(option: str, letter: str) -> str:
    """A pattern of what names an option; its letter only where it ends a phrase ("Answer: A person" names no first)."""
    itself = re.escape(option) if len(option) == 1 else f"(?i:{re.escape(option)})"
    return "|".join(([itself] if option else []) + ([letter + _ENDS] if letter else [])) or "(?!)"
