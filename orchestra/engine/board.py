"""What is on the edges: one token an edge and round, a message or silence. Every edge resolves exactly once a round.

Tokens are laid as soon as an activation is done, so that what depends on it may start; history grows only when it is
committed, in canonical order: round, spatial rank, declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from orchestra.engine.context import NOTHING, Context, Notice
from orchestra.engine.door import combine
from orchestra.engine.graph import Graph
from orchestra.engine.history import History
from orchestra.errors import BadTeam, Unparseable
from orchestra.types import FrozenMap, Message, Reply, View


class Step(NamedTuple):
    """One activation's place in canonical order."""

    round: int
    node: int


class Token(NamedTuple):
    """What an edge carries once, and the name of the draws in its past."""

    messages: tuple[Message, ...]
    past: str


class Outcome(NamedTuple):
    """What became of an activation: a message, or an error."""

    context: Context
    inbox: tuple[Message, ...]
    reply: Reply | None
    message: Message | None
    error: Exception | None
    past: str = ""
    """Name of the draws in its causal past."""
    tokens: tuple[Token | None, ...] = ()
    """What it lays on each of its edges; none where there is no message."""


class Memories(FrozenMap[str, object]):
    """What the nodes of a team remember, by name: the team's own memory, where it is a node of another."""

    __slots__ = ()


OPEN = Token((), "open")
"""Stands on an edge that is not resolved yet; known by identity."""


def _live(token: Token | None) -> bool:
    """Whether it is a message."""
    return token is not None and token is not OPEN


class _Joins:
    """What joins did in one round."""

    __slots__ = ("broken", "cut", "freed", "sealed")

    def __init__(self) -> None:
        self.sealed: dict[int, int] = {}  # join -> how many of its edges, in order of commit, it fired on
        self.broken: dict[int, Exception] = {}  # join -> what its condition raised
        self.cut: set[int] = set()
        self.freed: set[int] = set()  # nodes whose activation of the round before is done


class _Round:
    """Tokens of one round: None is silence, OPEN is not resolved yet."""

    __slots__ = ("joins", "missing", "tokens")

    def __init__(self, tokens: list[Token | None], missing: list[int], joins: _Joins) -> None:
        self.tokens = tokens
        self.missing = missing
        self.joins = joins


_NO_JOINS = _Joins()
"""Of the rounds of a team without joins; never written to."""


class Board:
    """The state of one team run."""

    __slots__ = (
        "_kept",
        "_memory",
        "_passed",
        "_path",
        "_rounds",
        "at",
        "ctx",
        "graph",
        "history",
        "plan",
        "ready",
        "view",
    )

    def __init__(self, graph: Graph, view: View, ctx: Context) -> None:
        self.graph, self.plan, self.view, self.ctx = graph, graph.plan, view, ctx
        self.at = Step(0, self.plan.order[0])
        self.ready: list[Step] = []
        """Activations whose inbox is complete and not silent, and that were not started."""
        self._rounds: dict[int, _Round] = {}
        self._memory: dict[int, tuple[object, str]] = {}
        self._kept: dict[str, object] | None = None  # of what is committed
        if isinstance(view.memory, Memories):  # a team visited again: its nodes remember
            self._kept = dict(view.memory)
            number = self.plan.number  # a team that an actor builds may have other nodes this time
            self._memory = {number[name]: (kept, ctx.past) for name, kept in self._kept.items() if name in number}
        self._passed = 0  # 1 while the step that is due is committed already, which is when stops are asked
        self._path = f"{ctx.path}:{ctx.round}" if ctx.round else ctx.path  # a team visited again is another place
        self.history = History(self.plan.voters, self)
        entry = Token(view.inbox, ctx.past)
        for edge in self.plan.entries:
            self._lay(0, edge, entry)

    def steps(self) -> Iterator[Step]:
        """Canonical order, for as long as a live message crosses into the next round."""
        round = 0
        while True:
            if round:
                self.history.begin()
            for node in self.plan.order:
                step = self.at = Step(round, node)
                self._passed = 0
                yield step
            del self._rounds[round]
            round += 1
            state = self._rounds.get(round)
            if state is None or not any(map(_live, state.tokens)):
                return

    def silent(self, step: Step) -> bool:
        """Whether nobody speaks to this activation; final once all before it are committed."""
        if step in self.ready:
            return False
        state = self._rounds[step.round]
        if self.plan.joins:
            if step.node in state.joins.cut:
                return True
            if self.graph.nodes[step.node].when is not None:
                return step.node not in state.joins.sealed
        return self._unspoken(state, step.node)

    def open(self, step: Step) -> tuple[View, Context]:
        """The View of an activation and the Context it runs in."""
        team, name = self.ctx, self.graph.nodes[step.node].name
        inbox: tuple[Message, ...] = ()
        pasts: list[str] = []
        tokens = self._rounds[step.round].tokens
        for edge in self._read(step) if self.plan.joins else self.plan.ins[step.node]:
            token = tokens[edge]
            if token is not None:
                inbox += token.messages
                if token.past:
                    pasts.append(token.past)
        memory = None
        if step.node in self._memory:
            memory, before = self._memory[step.node]
            pasts.append(before)
        private, line = team.private, self.view.private
        if private:  # a seat is known by its name at the outermost team that has it
            line = private.get(name, line)
            if not private.keys().isdisjoint(self.plan.number):
                private = {seat: told for seat, told in private.items() if seat not in self.plan.number}
        ctx = Context(
            team.scope, f"{self._path}/{name}", step.round, combine(pasts) if pasts else "",
            tuple([m.id for m in inbox]), team.ledger, team, private, team.limit,
        )  # fmt: skip
        return View(self.view.prompt, inbox, memory, line, name, step.round), ctx

    def memories(self) -> Memories | None:
        """What the nodes of this team remember after it; None: nothing."""
        return Memories(self._kept) if self._kept else None

    def broken(self, step: Step) -> BadTeam | None:
        """Why a join cannot be asked: its condition raised."""
        error = self._rounds[step.round].joins.broken.get(step.node)
        if error is None:
            return None
        where = f"{self._path}/{self.graph.nodes[step.node].name}"
        return BadTeam(f"{where}: its condition raised {type(error).__name__}: {error}; fix: `when` of that node")

    def deliver(self, step: Step, outcome: Outcome) -> None:
        """Lays the tokens of an activation that is done, committed or not yet."""
        if outcome.reply is not None and outcome.reply.memory is not None:
            self._memory[step.node] = (outcome.reply.memory, outcome.past)
        tokens, temporal = outcome.tokens, self.plan.temporal
        for i, edge in enumerate(self.plan.outs[step.node]):
            self._lay(step.round + temporal[edge], edge, tokens[i] if tokens else None)
        if self.plan.cyclic:
            self._free(step)

    def skip(self, step: Step) -> None:
        """Not routed, abstained, or cut off by a join that fired: its own edges fall silent."""
        for edge in self.plan.outs[step.node]:
            self._lay(step.round + self.plan.temporal[edge], edge, None)
        if self.plan.cyclic:
            self._free(step)
        self._close(step)

    def commit(self, step: Step, outcome: Outcome) -> None:
        """Puts an activation on the record. Raises what it raised, unless its node abstains on errors."""
        record, history, done = self.ctx.record.items, self.history, outcome.context.record
        if done.items or done.usage is not NOTHING:
            record.append(done)
            if (spent := done.total()) is not NOTHING:
                history.usage = history.usage + spent
        if outcome.error is not None:
            raise outcome.error
        if outcome.reply is None or outcome.message is None:
            history.abstain(self.graph.nodes[step.node].name)
        else:
            record.append(outcome.message)
            history.add(outcome.message, outcome.reply, outcome.inbox)
            if outcome.reply.memory is not None:
                self._kept = {**(self._kept or {}), outcome.message.sender: outcome.reply.memory}
            if self.ctx.scope.notify is not None:
                self._tell(step, outcome, self.ctx.scope.notify)
        self._close(step)

    def heard(self, signals: Sequence[str]) -> bool:
        """Signals from outside have come; whether the team ends."""
        self.history.heard += tuple(signals)
        clocks = {wait.name for wait in self.graph.stop.waits if wait.seconds is not None}
        for signal in signals:
            self.ctx.event("clock" if signal in clocks else "cancel", signal)
        return self.graph.stop(self.history) is not None

    def message(self, step: Step, ctx: Context, reply: Reply, past: str) -> Message:
        """What an activation said, under its name; Unparseable if it addresses a node that is no successor."""
        if not isinstance(reply, Reply):
            raise TypeError(f"{ctx.path}: expected a Reply, got {reply!r:.80}; fix: what that actor returns")
        name = self.graph.nodes[step.node].name
        if reply.sends is not None:
            near = self.plan.near[step.node]
            if unknown := sorted(set(reply.sends) - near):
                raise Unparseable(f"{ctx.path}: hand-off to {unknown[0]!r} refused; its successors are {sorted(near)}")
        made = f"{ctx.path}@{step.round}~{past}" if past else f"{ctx.path}@{step.round}"
        return Message(
            made, name, step.round, reply.content, reply.origin, reply.answer, reply.parsed, ctx.saw, reply.rewards
        )

    def tokens(self, step: Step, reply: Reply, message: Message, past: str) -> tuple[Token | None, ...]:
        """What an activation lays on each of its edges; raises what a transform of an edge raises."""
        edges = self.plan.outs[step.node]
        if reply.sends is None and not self.plan.carries[step.node]:
            return (Token((message,), past),) * len(edges)
        return tuple([self._carried(edge, reply, message, past) for edge in edges])

    def doubtful(self, step: Step) -> bool:
        """Whether joins may fire without this activation, or have: then nothing of it may show yet."""
        if not self.plan.optional[step.node]:
            return False
        state = self._round(step.round)
        return all(self._may_do_without(state, step.round, edge) for edge in self.plan.outs[step.node])

    def distance(self, step: Step) -> int:
        """Steps from the one that is due to this one, counted as `left` counts them."""
        place, here = self.plan.place, self.plan.place[self.at.node]
        if step.round > self.at.round:
            between = (step.round - self.at.round - 1) * len(self.plan.order) + place[step.node]
            return len(self.left()) + between
        state = self._round(step.round)
        return sum(not self._shown_silent(state, node, here) for node in self.plan.order[here : place[step.node]])

    def left(self) -> list[str]:
        """Nodes of this round still to come, save those that committed tokens alone show to be silent."""
        place, nodes = self.plan.place, self.graph.nodes
        state, here = self._round(self.at.round), place[self.at.node] + self._passed
        return [nodes[node].name for node in self.plan.order[here:] if not self._shown_silent(state, node, here)]

    def sure(self) -> list[str]:
        """Those of them that are spoken to for certain: by a committed token, and needed by more than a join."""
        place, nodes = self.plan.place, self.graph.nodes
        state, here = self._round(self.at.round), place[self.at.node] + self._passed
        return [nodes[node].name for node in self.plan.order[here:] if self._surely_due(state, node, here)]

    def _round(self, round: int) -> _Round:
        state = self._rounds.get(round)
        if state is None:
            plan = self.plan
            missing = list(plan.later if round else plan.first)
            joins = _Joins() if plan.joins else _NO_JOINS
            state = self._rounds[round] = _Round([OPEN] * len(plan.source), missing, joins)
            for edge in plan.entries if round else plan.late:
                state.tokens[edge] = None
        return state

    def _lay(self, round: int, edge: int, token: Token | None) -> None:
        state = self._rounds.get(round) or self._round(round)
        if state.tokens[edge] is OPEN:
            state.tokens[edge] = token
            self._less(round, self.plan.target[edge], state)

    def _free(self, step: Step) -> None:
        """An activation is done or skipped: its node may act in the next round."""
        state = self._round(step.round + 1)
        if self.plan.joins:
            state.joins.freed.add(step.node)
        self._less(step.round + 1, step.node, state)

    def _less(self, round: int, node: int, state: _Round) -> None:
        state.missing[node] -= 1
        if self.plan.joins and self.graph.nodes[node].when is not None:
            self._seal(round, node)
        elif not state.missing[node] and node not in state.joins.cut and not self._unspoken(state, node):
            self.ready.append(Step(round, node))

    def _unspoken(self, state: _Round, node: int) -> bool:
        tokens = state.tokens
        for edge in self.plan.ins[node]:  # noqa: SIM110  (a generator would cost as much as all the rest)
            if tokens[edge] is not None:
                return False
        return True

    def _seal(self, round: int, node: int) -> None:
        """Fires a join on the shortest prefix of its inbox, in order of commit, for which it holds."""
        state, when = self._round(round), self.graph.nodes[node].when
        if when is None or node in state.joins.sealed or not self._free_to_fire(state, round, node):
            return
        prefix: list[Message] = []
        for count, edge in enumerate(self.plan.committed[node], start=1):
            token = state.tokens[edge]
            if token is OPEN:
                return
            if token is not None:
                prefix.extend(token.messages)
                if self._holds(state, node, prefix):
                    state.joins.sealed[node] = count
                    self.ready.append(Step(round, node))
                    self._cut_off(round, state)
                    return

    def _holds(self, state: _Round, node: int, prefix: Sequence[Message]) -> bool:
        when = self.graph.nodes[node].when
        try:
            return when is not None and bool(when(prefix))
        except Exception as error:  # noqa: BLE001  (it is raised when the join is due: the same place on every schedule)
            state.joins.broken[node] = error
            return True

    def _free_to_fire(self, state: _Round, round: int, node: int) -> bool:
        return round == 0 or node in state.joins.freed

    def _cut_off(self, round: int, state: _Round) -> None:
        """Marks the activations that nobody waits for: all they lead to are joins that fired without them."""
        for node, outs in enumerate(self.plan.outs):
            if outs and all(self._fired_without(state, edge) for edge in outs):
                state.joins.cut.add(node)
        self.ready = [step for step in self.ready if step.round != round or step.node not in state.joins.cut]

    def _fired_without(self, state: _Round, edge: int) -> bool:
        join = self.plan.target[edge]
        if self.plan.temporal[edge] or join not in state.joins.sealed:
            return False
        return self.plan.committed[join].index(edge) >= state.joins.sealed[join]

    def _may_do_without(self, state: _Round, round: int, edge: int) -> bool:
        join = self.plan.target[edge]
        if join in state.joins.sealed:
            return self._fired_without(state, edge)
        order = self.plan.committed[join]
        settled = all(state.tokens[before] is not OPEN for before in order[: order.index(edge)])
        return not (settled and self._free_to_fire(state, round, join))

    def _read(self, step: Step) -> Sequence[int]:
        """Edges that an activation reads: of a join those that it fired on."""
        edges, sealed = self.plan.ins[step.node], self._rounds[step.round].joins.sealed.get(step.node)
        if sealed is None:
            return edges
        kept = set(self.plan.committed[step.node][:sealed])
        return [edge for edge in edges if edge in kept]

    def _carried(self, edge: int, reply: Reply, message: Message, past: str) -> Token | None:
        sent: tuple[Message, ...] = (message,)
        target = self.graph.nodes[self.plan.target[edge]].name
        if reply.sends is not None:
            if target not in reply.sends:
                return None
            own = reply.sends[target]
            sent = own if isinstance(own, tuple) else (self._addressed(message, target, own),)
        carry = self.graph.edges[edge].carry
        if carry is not None:
            sent = tuple(m for m in map(carry, sent) if m is not None)
        return Token(sent, past) if sent else None

    def _addressed(self, message: Message, target: str, content: str) -> Message:
        if content == message.content:
            return message
        return Message(
            f"{message.id}>{target}", message.sender, message.round, content, message.origin, message.answer,
            message.parsed, message.saw, message.rewards,
        )  # fmt: skip

    def _tell(self, step: Step, outcome: Outcome, notify: Callable[[Notice], None]) -> None:
        said, targets = outcome.message, self.plan.target
        assert said is not None
        heard = [edge for edge, token in zip(self.plan.outs[step.node], outcome.tokens, strict=True) if token]
        to = tuple(dict.fromkeys(self.graph.nodes[targets[edge]].name for edge in heard))
        notify(Notice("message", outcome.context.path, step.round, said.content, said, to))

    def _surely_due(self, state: _Round, node: int, here: int) -> bool:
        if self.graph.nodes[node].when is not None or self.plan.optional[node]:
            return False
        return any(self._committed(edge, here) and _live(state.tokens[edge]) for edge in self.plan.ins[node])

    def _shown_silent(self, state: _Round, node: int, here: int) -> bool:
        return all(self._committed(edge, here) and not _live(state.tokens[edge]) for edge in self.plan.ins[node])

    def _committed(self, edge: int, here: int) -> bool:
        """Whether what this edge carries in the round that is due stands on the record, `here` being next."""
        source = self.plan.source[edge]
        return source < 0 or self.plan.temporal[edge] or self.plan.place[source] < here

    def _close(self, step: Step) -> None:
        self._passed = 1
        if self.plan.place[step.node] == len(self.plan.order) - 1:
            self.history.rounds += 1
