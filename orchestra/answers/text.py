r"""Free text and mathematical notation, compared as strings in a normal form: no algebra is done.

The normal form follows the published graders of MATH (hendrycks/math `is_equiv`, openai/prm800k) as far as they go
without a computer algebra system: 6/8 is not 3/4, order in a list counts, 1+i is not i+1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from orchestra.answers.reply import answer_line, boxed, last_line, marked

_WRAPPED: Final = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\{([^{}]*)\}")
_UNIT: Final = re.compile(r"(?<=[0-9)}])\s*\\(?:text|mbox|mathrm)\{\s[^{}]*\}(?:\^\{?[0-9]\}?)?[\s$.*]*\Z")
_NAMED: Final = re.compile(r"\A[a-z]{1,2}=(?=[^=]+\Z)")
_SILENT: Final = re.compile(
    r"\\[!,;:> ]|\\(?:left|right)(?![a-z])|\\?[$%]|\^\{?\\circ\}?|(?<=[0-9\s])degrees?(?![a-z])|\s+"
)
_SIZED: Final = re.compile(r"\\[dt]frac(?![a-z])")
_SHORT_FRAC: Final = re.compile(r"\\frac(?:\{([^{}]+)\}|([0-9a-z]))(?:\{([^{}]+)\}|([0-9a-z]))")
_RATIO: Final = re.compile(r"(-?)([0-9]+)/([0-9]+)")
_DECIMAL: Final = re.compile(r"(-?)((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?)(?:\.([0-9]*))?")


def strict(reply: str, choices: Sequence[str] = ()) -> str | None:
    """The last box; else X of a last line "Answer: X"; else a reply of one line without a marker; an open box: none."""
    box, line = boxed(reply), reply.strip()
    if box is not None:
        return box
    return answer_line(reply) or (None if "\n" in line or any(marked(line)) else line)


def flexible(reply: str, choices: Sequence[str] = ()) -> str | None:
    r"""The strict answer of a box or answer line; else what the last marker says; else the last line.

    >>> flexible("The answer is **Evelyn**."), flexible(r"\boxed{3} or \boxed{-1}"), flexible("Let us see.\nParis")
    ('Evelyn', '-1', 'Paris')
    """
    box = boxed(reply)
    if box is not None:
        return box
    return answer_line(reply) or next(filter(None, marked(reply)), None) or last_line(reply)


def same(a: str, b: str) -> bool:
    r"""Equal in the normal form, where that is not empty.

    >>> same("10080", r"10,\!080"), same("C", r"\text{(C)}"), same("0.5", r"\frac12"), same("6/8", "3/4")
    (True, True, True, False)
    """
    return normal(a) == normal(b) != ""


def normal(answer: str) -> str:
    r"""One spelling for what the published graders take for the same: case, spaces, `\text`, degree, per cent and
    dollar signs, sizes of brackets and fractions, brackets around one letter, thousands separators, final zeros, a
    unit set as text behind a number, a name of one or two letters before the only equals sign.

    >>> normal(r"$\left(\tfrac34, 1\right)$."), normal("1,000.50"), normal("90 degrees")
    ('(\\frac{3}{4},1)', '1000.5', '90')
    >>> normal(r"864 \mbox{ inches}^2"), normal("x = 5"), normal(r"\text{east}")
    ('864', '5', 'east')
    """
    text = _SIZED.sub(r"\\frac", _UNIT.sub("", answer).casefold().replace("\u2212", "-").replace("{,}", ","))
    text = _SILENT.sub("", _WRAPPED.sub(r"\1", text)).lstrip("*`").rstrip("*`.")
    text = _SHORT_FRAC.sub(lambda m: rf"\frac{{{m[1] or m[2]}}}{{{m[3] or m[4]}}}", text)
    text = _NAMED.sub("", text)
    if len(text) == 3 and text[0] == "(" and text[2] == ")":
        text = text[1]
    if ratio := _RATIO.fullmatch(text):
        return rf"{ratio[1]}\frac{{{ratio[2]}}}{{{ratio[3]}}}"
    if (decimal := _DECIMAL.fullmatch(text)) and (decimal[2] or decimal[3]):
        digits, zeros = decimal[2].replace(",", "") or "0", (decimal[3] or "").rstrip("0")
        text = decimal[1] + digits + (f".{zeros}" if zeros else "")
    return r"\frac{1}{2}" if text == "0.5" else text  # the one decimal that MATH's own grader turns into a fraction
