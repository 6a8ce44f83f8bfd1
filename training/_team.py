"""The teams that loops train: MALT's chain, shown solved examples, and two seats that talk, each with its own facts.

Examples are training tasks with their golds, taken out of what is trained on, so a team for any benchmark comes of its
own data. They show the form that the strict rule wants, "Answer: X"; the verifier's and the refiner's show right and
wrong proposals in turn, the wrong ones being the answers of other examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

from orchestra.answers.reply import answer_line, last_line
from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, last
from orchestra.errors import BadInput
from orchestra.models.model import Policy
from orchestra.team import Role, Team, number, own_words, register, verdict
from orchestra.topologies import chain, solo
from orchestra.types import AnswerKind, Message, Task, View

CHAIN: Final = ("generator", "verifier", "refiner")
TALKER: Final = "talker"
Kind = Literal["talk", "chain", "solo"]
PROPOSED: Final = "{{ prompt }}\nProposed: {{ inbox[0].answer or 'nothing' }}"
JUDGED: Final = "{{ prompt }}\nVerdict: {{ inbox[-1].content }}\nProposed: {{ inbox[0].answer or 'nothing' }}"
"""The proposal stands last: a small model then copies what was approved, where it would else work it out anew."""


register("answer_line")(answer_line)


@register("stated_answer")
def stated(said: str) -> str | None:
    """X of a last line "Answer: X", else the last line; None where nothing was said.

    >>> stated("It is so.\\nAnswer: Rome"), stated("Rome"), stated("")
    ('Rome', 'Rome', None)
    """
    return answer_line(said) or last_line(said) or None


@dataclass(frozen=True, slots=True)
class Manner:
    """How everyone in a team speaks."""

    temperature: float = 0.0
    max_tokens: int = 24
    system: str = "Answer the question."


def roles(examples: Sequence[Task], manner: Manner, kind: AnswerKind = "number") -> dict[str, Role[Any]]:
    """MALT's three roles, by name, shown these tasks, for answers of a kind.

    Raises BadInput where all examples have one answer, so that none could be a wrong one.
    """
    if examples and len({str(task.gold) for task in examples}) == 1:
        raise BadInput(
            f"expected examples of different answers, got {len(examples)} of {examples[0].gold!r}; "
            "fix: more --shots, or 0"
        )
    answer = number if kind == "number" else stated
    cases = []
    for i, task in enumerate(examples):
        other = next(t for t in (*examples[i + 1 :], *examples[:i]) if str(t.gold) != str(task.gold))
        given = str((other if i % 2 == 0 else task).gold)  # the first is wrong: one that says yes alone learns nothing
        cases.append((task.prompt, str(task.gold), given, "yes" if given == str(task.gold) else "no"))
    solved = tuple((asked, f"Answer: {gold}") for asked, gold, _, _ in cases)
    judged = tuple((f"{asked}\nProposed: {given}", said) for asked, _, given, said in cases)
    refined = tuple((f"{asked}\nVerdict: {said}\nProposed: {given}", f"Answer: {g}") for asked, g, given, said in cases)
    form: dict[str, Any] = {
        "system": manner.system, "max_tokens": manner.max_tokens, "temperature": manner.temperature, "stop": ("\n",),
    }  # fmt: skip
    return {
        "generator": Role("generator", "{{ prompt }}", examples=solved, answer=answer, **form),
        "verifier": Role("verifier", PROPOSED, examples=judged, output=verdict, **form),
        "refiner": Role("refiner", JUDGED, examples=refined, answer=answer, **form),
    }


def malt_team(own: Mapping[str, Role[Any]], policies: Mapping[str, Policy], temperature: float = 0.0) -> Team:
    """Generator, verifier and refiner in a chain."""
    return chain(*(replace(own[name], temperature=temperature)(policies[name]) for name in CHAIN))


def talkers(shown: Sequence[Task], tasks: Sequence[Task], policy: Policy, manner: Manner, rounds: int) -> Team:
    """A seat for each private line of the tasks, two where there are none, which speak in turn until all agree.

    All share one policy, as in Optima (arXiv 2410.08115). The last one's word counts. Examples show who speaks first
    telling all that it knows, and who has heard it answering: what is untrained says too much, and need not stay so.
    """
    seats = list(dict.fromkeys(seat for task in tasks for seat in sorted(task.private))) or ["debater-1", "debater-2"]
    role = Role(
        TALKER,
        "{{ prompt }}\n{% if private %}You alone know: {{ private }}\n{% endif %}"
        "{% if memory %}You said: {{ memory }}\n{% endif %}"
        "{% for message in inbox %}{{ message.sender }} says: {{ message.content }}\n{% endfor %}"
        '{% if inbox %}Reply with "Answer: X".{% else %}Say what you know that helps.{% endif %}',
        system=manner.system,
        answer=answer_line,
        remember=own_words,
        max_tokens=manner.max_tokens,
        temperature=manner.temperature,
        stop=("\n",),
    )
    turns = [turn for task in shown for turn in _turns(role, task)]
    role = replace(role, examples=tuple(turns))
    later = [(a, b) for i, b in enumerate(seats) for a in seats[:i]]
    return Team(
        "talk",
        [Node(seat, role(policy, name=seat)) for seat in seats],
        [
            *(Edge(START, seat) for seat in seats),
            *(Edge(a, b) for a, b in later),
            *(Edge(b, a, "temporal") for a, b in later),
        ],
        Quorum((len(seats) - 0.5) / len(seats)) | MaxRounds(rounds),
        output=last(seats[-1]),
    )


def _turns(role: Role[Any], task: Task) -> list[tuple[str, str]]:
    """A first turn that tells a private line, if there is one, and one after all were heard, which answers."""
    *first, (_, last_line) = sorted(task.private.items()) or [("", "")]
    told = [(seat, " ".join(line.split())) for seat, line in first]
    opening = [(View(task.prompt, private=line), said) for (_, line), (_, said) in zip(first, told, strict=True)]
    heard = tuple(Message(seat, seat, 0, said) for seat, said in told)
    answer = View(task.prompt, heard, private=last_line), f"Answer: {task.gold}"
    return [(role.request(view).messages[-1][1], said) for view, said in (*opening[:1], answer)]


class Cast(NamedTuple):
    """A team without weights."""

    policies: tuple[str, ...]
    make: Callable[[Mapping[str, Policy], float], Team]
    """Of policies by name and a temperature."""


def cast(kind: Kind, shown: Sequence[Task], asked: Sequence[Task], manner: Manner, rounds: int) -> Cast:
    """talk: seats that talk; chain: MALT's team; solo: its generator alone. All are shown tasks."""
    if kind == "talk":

        def talk(own: Mapping[str, Policy], temperature: float) -> Team:
            return talkers(shown, asked, own[TALKER], replace(manner, temperature=temperature), rounds)

        return Cast((TALKER,), talk)
    own_roles = roles(shown, manner, asked[0].kind)
    if kind == "chain":
        return Cast(CHAIN, lambda own, temperature: malt_team(own_roles, own, temperature))
    return Cast(
        CHAIN[:1],
        lambda own, temperature: solo(replace(own_roles[CHAIN[0]], temperature=temperature)(own[CHAIN[0]])),
    )
