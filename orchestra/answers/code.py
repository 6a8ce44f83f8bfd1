"""Programs. Two are the same if their text is, outer space apart; whether one works is for a sandbox to find out."""

from __future__ import annotations

from collections.abc import Sequence


def strict(reply: str, choices: Sequence[str] = ()) -> str | None:
    """The reply, if it holds no fence or is one fence from its first line to its last; else None."""
    blocks, outside = _fences(reply)
    if not blocks:
        return None if "```" in reply else _trimmed(reply)
    return blocks[0] if len(blocks) == 1 and not outside.strip() else None


def flexible(reply: str, choices: Sequence[str] = ()) -> str | None:
    r"""The last closed fence; else the whole reply, if it opens none.

    >>> flexible("Try this:\n```python\nx = 1\n```\nDone.")
    'x = 1'
    """
    blocks, _ = _fences(reply)
    return blocks[-1] if blocks else strict(reply)


def same(a: str, b: str) -> bool:
    """Equal text, outer blank lines and space apart."""
    return a.strip() == b.strip()


def _fences(reply: str) -> tuple[list[str], str]:
    """The contents of the closed fences, and all that stands outside of them."""
    blocks, outside, inside = list[str](), list[str](), list[str]()
    fenced = False
    for line in reply.split("\n"):
        if line.lstrip().startswith("```"):
            if fenced:
                blocks.append(_trimmed("\n".join(inside)))
            fenced, inside = not fenced, []
        else:
            (inside if fenced else outside).append(line)
    return blocks, "\n".join(outside + inside)


def _trimmed(text: str) -> str:
    return text.strip("\r\n").rstrip()  # the first line keeps its indentation: a completion may start inside a function
