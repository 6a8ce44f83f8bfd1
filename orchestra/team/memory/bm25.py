"""BM25 (Robertson et al., TREC-3, 1994): texts by the words that they share with a query, the rarer the better.

    idf(w) = ln(1 + (N - n + 0.5) / (n + 0.5))
    score(q, d) = sum over words w of q of idf(w) * f / (f + k1 * (1 - b + b * |d| / mean |d|))

w is in n of N texts, and f times in d. The idf is Robertson's with 1 inside the logarithm, as Lucene has it, so that no
word counts against a text; the constant factor k1 + 1 is left out, as Lucene does since version 8. A word that the
query says twice counts twice. Defaults are Lucene's, k1 = 1.2 and b = 0.75.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from orchestra.team.registry import register

Scorer = Callable[[str], Sequence[float]]
"""From a query to a score of each text; above 0 where it has to do with it."""

K1: Final = 1.2
B: Final = 0.75
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Runs of letters and digits, without regard to case.

    >>> words("Ann's film, RED Door!")
    ['ann', 's', 'film', 'red', 'door']
    """
    return _WORD.findall(text.casefold())


@register("bm25")
def bm25(texts: Sequence[str]) -> Scorer:
    """A scorer of these texts.

    >>> [round(score, 4) for score in bm25(["red door", "red house", "blue sea"])("red door")]
    [0.6595, 0.2136, 0.0]
    """
    counts = [Counter(words(text)) for text in texts]
    lengths = [sum(count.values()) for count in counts]
    mean = sum(lengths) / len(lengths) if any(lengths) else 1.0
    holding: dict[str, list[int]] = defaultdict(list)
    for i, count in enumerate(counts):
        for word in count:
            holding[word].append(i)

    def score(query: str) -> Sequence[float]:
        scores = [0.0] * len(texts)
        for word, times in Counter(words(query)).items():
            found = holding.get(word, ())
            weight = times * math.log(1 + (len(texts) - len(found) + 0.5) / (len(found) + 0.5))
            for i in found:
                often = counts[i][word]
                scores[i] += weight * often / (often + K1 * (1 - B + B * lengths[i] / mean))
        return scores

    return score
