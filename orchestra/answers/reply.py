"""Where in a reply the answer stands: after the thinking, behind a marker, in a box, or on the last line.

Every function is one pass over its text, so a hostile reply of a million markers costs no more than a long one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_MARKER: Final = re.compile(r"####|(?<![a-z])answer[\s*_]{0,8}(?:is\b(?!\s+not\b)|[:=])", re.IGNORECASE)
_ANSWER_LINE: Final = re.compile(r"answer:[ \t]*(\S.*)", re.IGNORECASE)
_MARKUP: Final = " \t\r\n:*_`"


def final(text: str) -> str:
    """The reply without its thinking, and without a further question that the model went on to ask itself.

    Thinking ends at the last `</think>`, whether or not the template showed its beginning; thinking that is never
    closed leaves no answer. The cut at a new "Question:" line is the stop sequence of few-shot prompts, applied late.

    >>> final("<think>#### 12?</think>#### 18\\nQuestion: next")
    '#### 18'
    """
    said = text.rpartition("</think>")[2].partition("<think>")[0]
    head = said.partition("\nQuestion:")[0]
    return head if head.strip() else said


def marked(reply: str) -> Iterator[str]:
    """What follows each marker ("####", "Answer:", "the answer is") to the end of its line, last marker first.

    A marker that ends its line speaks for the next one that is not blank.

    >>> list(marked("Answer: B\\nNo, wrong.\\n**Answer:**\\nD"))
    ['D', 'B']
    """
    for piece in reversed(_MARKER.split(reply)[1:]):
        yield piece.lstrip(_MARKUP).partition("\n")[0].rstrip(_MARKUP + ".")


def answer_line(reply: str) -> str | None:
    """X, if the last line that is not blank is exactly "Answer: X"; the strict form of every kind.

    >>> answer_line("34 + 57 is 91.\\nAnswer: 91"), answer_line("**Answer:** 91")
    ('91', None)
    """
    match = _ANSWER_LINE.fullmatch(last_line(reply))
    return match[1] if match else None


def last_line(reply: str) -> str:
    """The last line that is not blank, without the space around it."""
    return reply.rstrip().rpartition("\n")[2].strip()


def boxed(reply: str) -> str | None:
    r"""The content of the last \boxed or \fbox, by counting braces; None: no box; "": the last box was left open.

    A box left open is an answer cut off, so callers take it for none: `\boxed{1` may have been going to say 12.

    >>> boxed(r"first \boxed 5 then \boxed{\frac{1}{2}}"), boxed(r"\boxed{1"), boxed("1")
    ('\\frac{1}{2}', '', None)
    """
    start = max(reply.rfind(r"\boxed"), reply.rfind(r"\fbox"))
    if start < 0:
        return None
    rest = reply[start:].removeprefix(r"\boxed").removeprefix(r"\fbox").lstrip()
    if not rest.startswith("{"):
        return (re.split(r"[\s$]", rest, maxsplit=1)[0]).strip()
    depth = 0
    for brace in re.finditer(r"[{}]", rest):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return rest[1 : brace.start()].strip()
    return ""
