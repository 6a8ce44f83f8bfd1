"""A Role is how an agent behaves, plain data and named functions; an Agent is a Role bound to a Policy.

A Role holds no model and an Agent no state: what it keeps between rounds is in its Reply.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from orchestra.engine.context import ONE_CALL, Context
from orchestra.engine.door import Speaker
from orchestra.errors import BadRole, Unparseable
from orchestra.models.choose import choose
from orchestra.models.model import Model, Policy
from orchestra.team import template
from orchestra.team.forms import AnswerOf, in_kind, number  # noqa: F401  (`number` in an example)
from orchestra.team.registry import register
from orchestra.team.repair import LINE, blank, repair
from orchestra.types import AnswerKind, Completion, Reply, Request, Usage, View

T = TypeVar("T")


@register("text")
def text(reply: str) -> str:
    """The typed output of a role without a form: the reply itself, without outer blanks."""
    return reply.strip()


@register("silent")
def silent(parsed: Any) -> None:
    """The answer of a role that never answers, such as a critic."""


@register("role")
@dataclass(frozen=True, slots=True)
class Role(Generic[T]):
    """How an agent behaves. Calling it with a policy, or a model, gives an Agent.

    >>> from orchestra.models.scripted import Scripted
    >>> greeter = Role("greeter", "Greet {{ prompt }}.")
    >>> greeter.request(View("Ada")).messages
    (('user', 'Greet Ada.'),)
    >>> greeter(Scripted(["Hello, Ada."]), name="host").name
    'host'
    """

    name: str
    prompt: str
    """Sandboxed template over the View; becomes the user turn. A private line that no template of the role names
    follows the prompt, so that nobody misses what it alone is told."""
    system: str = ""
    """Template of the system turn; empty: none."""
    examples: tuple[tuple[str, str], ...] = ()
    """Turns shown before the user turn, as (user, assistant) texts; they are not templates."""
    output: Callable[[str], T] = text  # type: ignore[assignment]
    """The typed output of a reply; raises Unparseable."""
    answer: Callable[[T], str | None] = silent
    """The comparable answer in a typed output; None: it abstains."""
    remember: Callable[[View, T], Any] | None = None
    """What to keep for the next round; None: nothing."""
    choices: tuple[str, ...] = ()
    """A closed set: the reply is one of these, scored and drawn, not generated."""
    tools: tuple[str, ...] = ()
    """Names of granted tools."""
    repairs: int = 0
    """How often an unparseable reply is asked for again, each time with what was wrong with it."""
    max_tokens: int = 256
    temperature: float = 0.7
    stop: tuple[str, ...] = ()
    grammar: str = ""
    """What the reply is held to while it is sampled, as `Request.grammar` has it; empty: nothing."""

    def __post_init__(self) -> None:
        where = f"role {self.name!r}"
        if not self.name.replace("-", "_").isidentifier():
            raise BadRole(f"{where}: a role's name must be a word of letters, digits, '-' and '_'")
        for source in (self.prompt, self.system):
            template.check(source, where)
        for turn in self.examples:
            template.check_plain("\n".join(turn), where)
        if not math.isfinite(self.temperature) or self.temperature < 0:
            raise BadRole(f"{where}: temperature must be a finite number >= 0, got {self.temperature!r}")
        if self.max_tokens < 1 or self.repairs < 0:
            raise BadRole(f"{where}: need max_tokens >= 1 and repairs >= 0, got {self.max_tokens} and {self.repairs}")
        if len(set(self.choices)) != len(self.choices) or len(self.choices) == 1:
            raise BadRole(f"{where}: choices must be at least two different texts, got {self.choices!r}")
        if self.grammar and self.choices:
            raise BadRole(
                f"{where}: has choices and a grammar; fix: one of them, since a choice is scored, not sampled"
            )

    def request(self, view: View, *, adapter: str = "", options: tuple[str, ...] = (), persona: str = "") -> Request:
        """The call that this role makes on seeing a View; the same View gives the same bytes."""
        variables = {name: getattr(view, name) for name in ("prompt", "inbox", "memory", "private", "seat", "round")}
        variables["persona"] = persona
        if view.private and not any(template.names(source, "private") for source in (self.prompt, self.system)):
            variables["prompt"] = f"{view.prompt}\n{view.private}"
        where = f"role {self.name!r}"
        turns = [("system", template.render(self.system, variables, where).strip())] if self.system else []
        for asked, said in self.examples:
            turns += [("user", asked), ("assistant", said)]
        turns.append(("user", template.render(self.prompt, variables, where).strip()))
        return Request(
            tuple(turns),
            adapter=adapter,
            options=options or self.choices,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            stop=self.stop,
            grammar=self.grammar,
        )

    def reply(self, said: str, view: View) -> Reply:
        """The Reply that a text amounts to; raises Unparseable where the text lacks the promised form."""
        parsed = self.output(said)
        memory = self.remember(view, parsed) if self.remember else None
        return Reply(said.strip(), answer=self.answer(parsed), parsed=parsed, memory=memory)

    def answering(self, kind: AnswerKind, choices: tuple[str, ...] = ()) -> Role[Any]:
        """The same role for tasks whose answers are of another kind: where it reads a number it reads that.

        >>> Role("solver", "{{ prompt }}", answer=number).answering("choice").reply("It is (B).", View("?")).answer
        'B'
        """
        if kind == "number":
            return self
        answers = AnswerOf(kind, choices)
        return replace(self, output=in_kind(self.output, answers), answer=in_kind(self.answer, answers))

    def __call__(self, policy: Policy | Model, *, name: str = "", persona: str = "") -> Agent:
        """An Agent. A role called with a model names its policy after the role, so agents of one role share it."""
        bound = policy if isinstance(policy, Policy) else Policy(self.name, policy)
        return Agent(name or self.name, self, bound, persona)


@register("agent")
@dataclass(frozen=True, slots=True)
class Agent:
    """A named Role bound to a Policy."""

    name: str
    role: Role[Any]
    policy: Policy
    persona: str = ""

    def __post_init__(self) -> None:
        template.check_plain(self.persona, f"agent {self.name!r}, persona")

    def request(self, view: View) -> Request:
        return self.role.request(view, adapter=self.policy.adapter, persona=self.persona)

    def speaker(self) -> Speaker:
        policy = self.policy
        return Speaker(self.name, self.role.name, policy.label, policy.model.weights(policy.adapter))

    def lacks(self) -> str:
        """What its role needs and its model cannot do, as a line; empty: nothing."""
        needs = [("score", bool(self.role.choices)), ("grammar", bool(self.role.grammar))]
        missing = [can for can, needed in needs if needed and can not in self.policy.model.capabilities]
        model = self.policy.model.name
        return f"agent {self.name!r} needs {' and '.join(missing)}, which {model} has not" if missing else ""

    def bound(self, view: View) -> Usage:
        """Worst case of one activation: every repair asked for, every reply as long as it may be."""
        request = self.request(view)
        return sum((self.call_bound(request, repairs) for repairs in range(1 + self.role.repairs)), Usage())

    async def __call__(self, view: View, ctx: Context) -> Reply:
        """One call, and up to `repairs` more while the reply cannot be parsed; then it abstains with what it said."""
        first, model = self.request(view), self.policy.model
        via = choose(model) if first.options else model.generate
        request, said = first, ""
        for repairs in range(1 + self.role.repairs):
            bound = self.call_bound(first, repairs) if ctx.capped else ONE_CALL
            completion: Completion = await ctx.do(request, via, by=self.speaker(), bound=bound)
            said = completion.text
            try:
                return self.role.reply(said, view)
            except Unparseable as error:
                ctx.flag(str(error))
                request = repair(request, said, error)
        return Reply(said.strip())

    def call_bound(self, request: Request, repairs: int = 0) -> Usage:
        """Worst case of one call, after so many repairs. A scored choice reads every option, and no token is less than
        a byte; a reply that is read again has as many tokens as when it was said.

        It is held for the call itself too, and not what its prompt turns out to count: an activation that runs ahead
        must not get by with less.
        """
        said = sum(len(option.encode()) + 1 for option in request.options) or request.max_tokens
        grown = repairs * (said + LINE) * (len(request.options) or 1)
        return Usage(calls=1, tokens_in=self.policy.model.count(blank(request, repairs)) + grown, tokens_out=said)
