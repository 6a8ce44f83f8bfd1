"""Information diversity and unnecessary paths on the graph of who read what, after GEMMAS (arXiv 2507.13190).

The nodes are the members' messages; an arc leads from a message to what one of its readers said next.

    IDS = mean over arcs m -> n of  1 - cos(tfidf(m), tfidf(n))
    UPR = 1 - paths that changed something / all paths,   from messages that read nothing to messages nobody read

The paper's IDS is about the meaning of messages; ours compares words (tf-idf over the run's messages, smoothed), so it
needs no embedding model and takes a paraphrase for diversity. The paper's UPR is about redundant reasoning paths; ours
calls a path necessary if each of its arcs moved its reader, that is, the reader then gave an answer that it had not
given just before. So neither needs a gold. A message without any arc is on no path.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from orchestra.credit.speech import spoken
from orchestra.evaluation.diagnostics.speech import alike, readers
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Message


def information_diversity(trajectory: Trajectory) -> float | None:
    """IDS, from 0 (all repeat what they read) to 1 (no word in common); None where nobody read anything."""
    messages = spoken(trajectory)
    vectors = dict(zip((m.id for m in messages), tfidf([m.content for m in messages]), strict=True))
    arcs = [(said.id, message.id) for message, read in readers(messages) for said in read]
    return fmean(1.0 - cosine(vectors[a], vectors[b]) for a, b in arcs) if arcs else None


def unnecessary_paths(trajectory: Trajectory) -> float | None:
    """UPR, from 0 (every path changed something all along) to 1 (none did); None where nobody read anything."""
    pairs = readers(spoken(trajectory))
    moving = _moving(pairs, trajectory)
    heard = {said.id for _, read in pairs for said in read}
    every: dict[str, int] = {}  # paths from a first message to this one
    useful: dict[str, int] = {}  # of these, those of moving arcs alone
    total = necessary = 0
    for message, read in pairs:
        every[message.id] = sum(every[said.id] for said in read) if read else 1
        useful[message.id] = sum(useful[said.id] for said in read) * moving[message.id] if read else 1
        if read and message.id not in heard:
            total, necessary = total + every[message.id], necessary + useful[message.id]
    return 1.0 - necessary / total if total else None


def tfidf(texts: Sequence[str]) -> list[dict[str, float]]:
    """Word counts times 1 + ln((1 + texts) / (1 + texts with the word)), one vector a text.

    >>> tfidf(["a a b", "b"])[1]
    {'b': 1.0}
    """
    counts = [Counter(re.findall(r"\w+", text.casefold())) for text in texts]
    holding = Counter(word for count in counts for word in count)
    return [{w: c * (1 + math.log((1 + len(texts)) / (1 + holding[w]))) for w, c in count.items()} for count in counts]


def cosine(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Of two vectors; 0 where one of them has no words."""
    lengths = math.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
    return min(1.0, sum(x * b[word] for word, x in a.items() if word in b) / lengths) if lengths else 0.0


def _moving(pairs: Sequence[tuple[Message, Sequence[Message]]], trajectory: Trajectory) -> dict[str, bool]:
    """Message id -> whether it gives an answer that its speaker had not given just before."""
    found: dict[str, bool] = {}
    last: dict[str, str | None] = {}
    for message, _ in pairs:
        found[message.id] = not alike(last.get(message.sender), message.answer, trajectory.task.kind)
        last[message.sender] = message.answer
    return found
