"""The teams that loops train: MALT's chain, shown solved examples; seats that talk, each with its own facts; and a main
agent that asks such seats.

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
from orchestra.roles import delegator, informant
from orchestra.team import Role, Team, number, own_words, register, verdict
from orchestra.team.actors.asker import Exchange, Inquiry
from orchestra.topologies import chain, delegate, solo
from orchestra.types import AnswerKind, Message, Task, View

CHAIN: Final = ("generator", "verifier", "refiner")
TALKER: Final = "talker"
MAIN, EXPERT = "main", "expert"
Kind = Literal["talk", "ask", "chain", "solo"]
POLICIES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "talk": (TALKER,), "ask": (MAIN, EXPERT), "chain": CHAIN, "solo": CHAIN[:1],
}  # fmt: skip
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


def answered(task: Task) -> str:
    """The gold in the form that the strict rule wants."""
    return f"Answer: {task.gold}"


@dataclass(frozen=True, slots=True)
class Manner:
    """How everyone in a team speaks."""

    temperature: float = 0.0
    max_tokens: int = 24
    system: str = "Answer the question."

    def form(self) -> dict[str, Any]:
        """What a role takes of it; a reply is one line."""
        return {
            "system": self.system, "max_tokens": self.max_tokens, "temperature": self.temperature, "stop": ("\n",),
        }  # fmt: skip


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
    solved = tuple((task.prompt, answered(task)) for task in examples)
    judged = tuple((f"{asked}\nProposed: {given}", said) for asked, _, given, said in cases)
    refined = tuple((f"{asked}\nVerdict: {said}\nProposed: {given}", f"Answer: {g}") for asked, g, given, said in cases)
    form = manner.form()
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
    seats = _seats(tasks) or ["debater-1", "debater-2"]
    role = Role(
        TALKER,
        "{{ prompt }}\n{% if private %}You alone know: {{ private }}\n{% endif %}"
        "{% if memory %}You said: {{ memory }}\n{% endif %}"
        "{% for message in inbox %}{{ message.sender }} says: {{ message.content }}\n{% endfor %}"
        '{% if inbox %}Reply with "Answer: X".{% else %}Say what you know that helps.{% endif %}',
        answer=answer_line,
        remember=own_words,
        **manner.form(),
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
    answer = View(task.prompt, heard, private=last_line), answered(task)
    return [(_turn(role, view), said) for view, said in (*opening[:1], answer)]


def askers(shown: Sequence[Task], tasks: Sequence[Task], own: Mapping[str, Policy], manner: Manner, calls: int) -> Team:
    """A main agent, and an expert for each seat of the tasks, two where there are none, to whom it puts at most `calls`
    questions: the team of M-GRPO (arXiv 2511.13288). All experts share one policy.

    Examples show each asked in turn, who tells its line in one, and the answer.
    """
    seats = _seats(tasks) or ["expert-1", "expert-2"]
    form = manner.form()
    main = replace(delegator, name=MAIN, answer=answer_line, **form)
    expert = replace(informant, name=EXPERT, **form)
    talks = [inquiry(task, seats, calls) for task in shown]
    main = replace(main, examples=tuple((_turn(main, view), said) for asked, _ in talks for view, said in asked))
    expert = replace(expert, examples=tuple((_turn(expert, view), said) for _, told in talks for view, said in told))
    return delegate(main(own[MAIN]), [expert(own[EXPERT], name=seat) for seat in seats], calls=calls)


def inquiry(task: Task, seats: Sequence[str], calls: int) -> tuple[list[tuple[View, str]], list[tuple[View, str]]]:
    """What the main agent sees and says, and what experts do, where each who has a line is asked the task in turn and
    tells it, and then the gold is answered. All is said in one line."""
    known, question = Inquiry(tuple(seats), calls), " ".join(task.prompt.split())
    asked, told = list[tuple[View, str]](), list[tuple[View, str]]()
    for seat in [seat for seat in seats if seat in task.private][:calls]:
        line = " ".join(task.private[seat].split())
        asked.append((View(task.prompt, memory=known), f"{seat}: {question}"))
        told.append((View(question, private=task.private[seat], seat=seat), line))
        known = known.after(Exchange(seat, question, line))
    return [*asked, (View(task.prompt, memory=known), answered(task))], told


def _seats(tasks: Sequence[Task]) -> list[str]:
    return list(dict.fromkeys(seat for task in tasks for seat in sorted(task.private)))


def _turn(role: Role[Any], view: View) -> str:
    return role.request(view).messages[-1][1]


class Cast(NamedTuple):
    """A team without weights."""

    policies: tuple[str, ...]
    make: Callable[[Mapping[str, Policy], float], Team]
    """Of policies by name and a temperature."""


def cast(kind: Kind, shown: Sequence[Task], asked: Sequence[Task], manner: Manner, rounds: int) -> Cast:
    """talk: seats that talk; ask: a main agent that asks seats; chain: MALT's team; solo: its generator alone. All are
    shown tasks; `rounds` are those of a talk, or the questions at most."""
    if kind == "talk":

        def talk(own: Mapping[str, Policy], temperature: float) -> Team:
            return talkers(shown, asked, own[TALKER], replace(manner, temperature=temperature), rounds)

        return Cast(POLICIES[kind], talk)
    if kind == "ask":

        def ask(own: Mapping[str, Policy], temperature: float) -> Team:
            return askers(shown, asked, own, replace(manner, temperature=temperature), rounds)

        return Cast(POLICIES[kind], ask)
    own_roles = roles(shown, manner, asked[0].kind)
    if kind == "chain":
        return Cast(POLICIES[kind], lambda own, temperature: malt_team(own_roles, own, temperature))
    return Cast(
        POLICIES[kind],
        lambda own, temperature: solo(replace(own_roles[CHAIN[0]], temperature=temperature)(own[CHAIN[0]])),
    )
