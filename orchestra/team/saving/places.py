"""Places in a saved team, as texts: `nodes.alice.actor.role.prompt`, `edges[a => b].carry`, `stop.second.limit`.

What stands in a list has a label: a node its name, an edge its ends (`=>` in the same round, `~>` to the next),
anything else its number. A label that is no plain word stands in brackets, as in `nodes[the judge]`. No name of a node
holds brackets, `=` or `~`, so that a text names one place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestra.errors import BadTeam

_WORD: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_STEP: Final = re.compile(r"(?:^|(?!^)\.)(?P<word>[\w-]+)|\[(?P<label>[^\[\]]*)\]", re.ASCII)


def step(place: str, label: str) -> str:
    """The place of what stands under a label within a place; empty is the team itself.

    >>> step(step("nodes", "the judge"), "actor")
    'nodes[the judge].actor'
    """
    if not _WORD.fullmatch(label):
        return f"{place}[{label}]"
    return f"{place}.{label}" if place else label


def steps(place: str) -> list[str]:
    """The labels on the way to a place; BadTeam where a text names none.

    >>> steps("edges[a => b].carry"), steps("examples[0]")
    (['edges', 'a => b', 'carry'], ['examples', '0'])
    """
    labels, end = [], 0
    while found := _STEP.match(place, end):
        labels.append(found["label"] if found["word"] is None else found["word"])
        end = found.end()
    if not labels or end < len(place):
        raise BadTeam(f"place {place!r}: expected words and brackets, such as nodes.alice.actor or edges[a => b]")
    return labels


def labels(items: Sequence[Any]) -> list[str]:
    """The label of each item of a saved list; of equal ones the second ends in ` #2`.

    >>> labels([{"$": "edge", "src": "a", "dst": "b"}, {"$": "edge", "src": "a", "dst": "b"}])
    ['a => b', 'a => b #2']
    """
    plain = [_label(item, number) for number, item in enumerate(items)]
    seen: Counter[str] = Counter()
    for number, label in enumerate(plain):
        seen[label] += 1
        if seen[label] > 1:
            plain[number] = f"{label} #{seen[label]}"
    return plain


def _label(item: Any, number: int) -> str:
    form = item if isinstance(item, Mapping) else {}
    if form.get("$") == "node":
        return str(form.get("name"))
    if form.get("$") == "edge":
        return f"{form.get('src')} {'~>' if form.get('kind') == 'temporal' else '=>'} {form.get('dst')}"
    return str(number)
