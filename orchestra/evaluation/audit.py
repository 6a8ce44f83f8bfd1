"""The same replies under every rule of their kind, ours and those of named public projects, and where they disagree.

Invariant: a reply is judged from its text, the gold and the choices alone, so an audit calls no model. A run that
failed is judged as an empty reply. A reply without a gold is counted and judged by nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_args

from orchestra.answers import extract, extract_strict
from orchestra.errors import BadData, BadInput
from orchestra.evaluation.benchmark import Benchmark, grade, jsonl_rows
from orchestra.evaluation.diagnostics.accuracy import accuracy
from orchestra.evaluation.finished import Scored
from orchestra.evaluation.public_rules import RULES, Verdict
from orchestra.evaluation.statistics import Interval
from orchestra.types import AnswerKind, Task

OURS: Final = {"strict": "ours: the promised form", "flexible": "ours: what the reply most plainly says"}
LONGEST: Final = 600
"""Characters of a reply that an example shows: its end, where answers stand."""


class Answered(NamedTuple):
    """One reply to be judged."""

    task: Task
    text: str | None
    """None: the run failed."""
    cut: bool = False
    """Whether a call of its run was ended by its limit of tokens."""


class Judged(NamedTuple):
    """One reply under every rule."""

    reply: Answered
    verdicts: Mapping[str, Verdict]

    @property
    def disputed(self) -> set[tuple[str, str]]:
        """Pairs of rules of which the first gives more credit; a rule that raised is in none."""
        credits = {name: found.credit for name, found in self.verdicts.items() if found.credit is not None}
        return {(a, b) for a, b in permutations(credits, 2) if credits[a] > credits[b]}


class Rate(NamedTuple):
    """One rule over all replies."""

    rule: str
    source: str
    credit: Interval | None
    """None: it raised on all."""
    unparseable: int
    """Replies in which it reads no answer."""
    raised: int
    """Replies on which the source's program would have ended."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the rules made of one set of replies."""

    replies: int
    failed: int
    unscored: int
    """Without a gold."""
    cut: int
    judged: tuple[Judged, ...]

    @property
    def rates(self) -> list[Rate]:
        """Of each rule, ours first."""
        names = dict.fromkeys(name for one in self.judged for name in one.verdicts)
        return [self._rate(name) for name in names]

    @property
    def disputed(self) -> int:
        """Replies on which any two rules differ."""
        return sum(bool(one.disputed) for one in self.judged)

    @property
    def matrix(self) -> dict[str, dict[str, int]]:
        """a -> b -> replies to which a gives more credit than b."""
        counts = Counter(pair for one in self.judged for pair in one.disputed)
        names = [rate.rule for rate in self.rates]
        return {a: {b: counts[a, b] for b in names if b != a} for a in names}

    def examples(self, most: int) -> list[Judged]:
        """Disputed replies, in order: first one for every pair of rules that differ, then others."""
        shown: set[tuple[str, str]] = set()
        first, others = [], []
        for one in self.judged:
            if one.disputed - shown:
                first.append(one)
                shown |= one.disputed
            elif one.disputed:
                others.append(one)
        return [*first, *others][:most]

    def summary(self, examples: int = 20) -> dict[str, Any]:
        """JSON."""
        return {
            "replies": self.replies,
            "failed": self.failed,
            "unscored": self.unscored,
            "cut": self.cut,
            "disputed": self.disputed,
            "rules": [{**rate._asdict(), "credit": rate.credit and rate.credit._asdict()} for rate in self.rates],
            "more_credit": self.matrix,
            "examples": [_example(one) for one in self.examples(examples)],
        }

    def _rate(self, name: str) -> Rate:
        found = [one.verdicts[name] for one in self.judged if name in one.verdicts]
        credits = [verdict.credit for verdict in found if verdict.credit is not None]
        return Rate(
            name,
            OURS.get(name) or RULES[name].source,
            accuracy(credits) if credits else None,
            sum(verdict.found is None for verdict in found),
            len(found) - len(credits),
        )


def audit(replies: Sequence[Answered], benchmark: Benchmark | None = None) -> Audit:
    """Judges replies by all rules. `strict` and `flexible` are the benchmark's scores, else those of the answer's kind.

    Raises BadInput where there is nothing to judge.
    """
    if not replies:
        raise BadInput("expected replies to audit, got none; fix: a run that was finished, or a file with lines")
    judged = tuple(judge(reply, benchmark) for reply in replies if reply.task.gold is not None)
    return Audit(
        len(replies),
        sum(reply.text is None for reply in replies),
        len(replies) - len(judged),
        sum(reply.cut for reply in replies),
        judged,
    )


def judge(reply: Answered, benchmark: Benchmark | None = None) -> Judged:
    """One reply with a gold.

    >>> one = judge(Answered(Task("t", "", gold="-10", kind="number"), "It is 10."))
    >>> [name for name, verdict in one.verdicts.items() if verdict.credit]
    ['mad_gsm']
    """
    task, text = reply.task, reply.text or ""
    score = (benchmark.score if benchmark is not None else grade)(task, reply.text)
    ours = {
        "strict": Verdict(extract_strict(text, task.kind, task.choices), score.strict),
        "flexible": Verdict(extract(text, task.kind, task.choices), score.flexible),
    }
    theirs = {name: rule.judge(text, str(task.gold)) for name, rule in RULES.items() if rule.kind == task.kind}
    return Judged(reply, ours | theirs)


def of_runs(runs: Iterable[Scored]) -> list[Answered]:
    """The replies of a system's runs."""
    return [
        Answered(
            run.trajectory.task,
            None if run.trajectory.leaf.error is not None else run.trajectory.leaf.content,
            any(
                made.completion is not None and made.completion.finish == "length" for made in run.trajectory.decisions
            ),
        )
        for run in runs
    ]


def of_file(path: Path, kind: AnswerKind) -> list[Answered]:
    """The replies of a JSON Lines file. BadData names the line that is none.

    {"gold": "18", "text": "#### 18", "id": "t1", "kind": "number", "choices": [], "finish": "stop"}

    All but `gold` and `text` may be left out; `kind` is then the one given. A `text` of null is a run that failed.
    """
    return [_answered(f"{path}:{line}", line, row, kind) for line, row in jsonl_rows(path)]


def _answered(place: str, line: int, row: Mapping[str, Any], usual: AnswerKind) -> Answered:
    text, kind = row.get("text"), row.get("kind", usual)
    if "gold" not in row or not (text is None or isinstance(text, str)) or kind not in get_args(AnswerKind):
        raise BadData(
            f"{place}: expected gold, text (or null) and a kind of {', '.join(get_args(AnswerKind))}, got "
            f"{str(dict(row))[:80]!r}; fix: that line"
        )
    task = Task(
        str(row.get("id", line)),
        "",
        gold=row["gold"],
        kind=cast(AnswerKind, kind),
        choices=tuple(row.get("choices", ())),
    )
    return Answered(task, text, row.get("finish") == "length")


def _example(one: Judged) -> dict[str, Any]:
    text = one.reply.text or ""
    return {
        "task": one.reply.task.id,
        "gold": str(one.reply.task.gold),
        "text": text if len(text) <= LONGEST else f"…{text[-LONGEST:]}",
        "verdicts": {name: verdict._asdict() for name, verdict in one.verdicts.items()},
    }
