"""Short answers compared word by word, as SQuAD and HotpotQA do: exact match (EM) and F1 of the words.

The rule is that of `hotpot_evaluate_v1.py` (hotpotqa/hotpot): lower case, punctuation deleted, then the words a, an and
the, then surplus space. Where either answer is yes, no or noanswer, F1 is 0 unless both are the same. One thing
differs: what would leave nothing behind stays, so that the bands The The and !!! are found, and no answer never is.
"""

from __future__ import annotations

import string
from collections import Counter
from typing import Final

from orchestra.answers import extract, extract_strict
from orchestra.evaluation.benchmark import Score

_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_ARTICLES: Final = frozenset(("a", "an", "the"))
_CLOSED: Final = frozenset(("yes", "no", "noanswer"))


def words(answer: str) -> list[str]:
    """The words that count.

    >>> words("The  U.S. Navy, a-b"), words("The The"), words("!!!")
    (['us', 'navy', 'ab'], ['the', 'the'], ['!!!'])
    """
    bare = answer.lower().translate(_PUNCTUATION).split()
    return [word for word in bare if word not in _ARTICLES] or bare or answer.split()


def exact(answer: str, gold: str) -> bool:
    """EM: the same words in the same order.

    >>> exact("the Chief of Protocol.", "Chief of Protocol"), exact("Yes, both are American", "yes")
    (True, False)
    """
    return words(answer) == words(gold) != []


def f1(answer: str, gold: str) -> float:
    """Harmonic mean of precision and recall over words, each counted as often as it occurs; in [0, 1].

    >>> f1("He was Chief of Protocol", "Chief of Protocol"), f1("Yes, both are American", "yes")
    (0.75, 0.0)
    """
    said, wanted = words(answer), words(gold)
    closed = " ".join(said) in _CLOSED or " ".join(wanted) in _CLOSED
    if closed and said != wanted:
        return 0.0
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def score(gold: str | None, text: str | None, *, partial: bool = False) -> Score:
    """EM of the answer in the promised form, and of what the reply plainly gives; with `partial` F1 of the latter.

    >>> score("Red Door", "Answer: the red door"), score("Red Door", "Answer: Red", partial=True).flexible
    (Score(strict=1.0, flexible=1.0, parsed=True), 0.6666666666666666)
    """
    promised, found = (text and rule(text, "text") for rule in (extract_strict, extract))
    if gold is None:
        return Score(None, None, bool(found))
    strict = float(exact(promised or "", gold))
    flexible = f1(found or "", gold) if partial else float(exact(found or "", gold))
    return Score(strict, max(strict, flexible), bool(found))
