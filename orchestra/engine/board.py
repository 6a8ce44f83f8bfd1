"""What is on the edges: one token an edge and round, a message or silence. Every edge resolves exactly once a round.

Tokens are laid as soon as an activation is done, so that what depends on it may start; history grows only when it is
committed, in canonical order: round, spatial rank, declaration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from orchestra.engine.context import NOTHING, Context, Notice
from orchestra.engine.door import combine
from orchestra.engine.graph import Graph
from orchestra.engine.history import History
from orchestra.errors import Unparseable
from orchestra.types import Message, Reply, View


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
    tokens: tuple[Token | None, ...] = ()
    """What it lays on each of its edges; none where there is no message."""


class _Round:
    """Tokens of one round: None is silence, absent is not resolved yet."""

    __slots__ = ("cut", "freed", "laid", "missing", "sealed", "tokens")

    def __init__(self, edges: int, missing: list[int]) -> None:
        self.tokens: list[Token | None] = [None] * edges
        self.laid = bytearray(edges)
        self.missing = missing
        self.sealed: dict[int, int] = {}  # join -> how many of its edges, in order of commit, it fired on
        self.cut: set[int] = set()
        self.freed: set[int] = set()  # nodes whose activation of the round before is done


class Board:
    """The state of one team run."""

    def __init__(self, graph: Graph, view: View, ctx: Context) -> None:
        self.graph, self.plan, self.view, self.ctx = graph, graph.plan, view, ctx
        self.at = Step(0, self.plan.order[0])
        self.ready: list[Step] = []
        """Activations whose inbox is complete and not silent, and that were not started."""
        self._rounds: dict[int, _Round] = {}
        self._memory: dict[int, tuple[object, str]] = {}
        self._passed = 0  # 1 while the step that is due is committed already, which is when stops are asked
        self._cyclic = any(self.plan.temporal)
        self._path = f"{ctx.path}:{ctx.round}" if ctx.round else ctx.path  # a team visited again is another place
        self.history = History([n.name for n in graph.nodes if n.votes], self._left, self._sure)
        for edge, source in enumerate(self.plan.source):
            if source < 0:
                self._lay(0, edge, Token(view.inbox, ctx.past))

    def steps(self) -> Iterator[Step]:
        """Canonical order, for as long as a live message crosses into the next round."""
        round = 0
        while True:
            if round:
                self.history.begin()
            for node in self.plan.order:
                self.at, self._passed = Step(round, node), 0
                yield self.at
            del self._rounds[round]
            round += 1
            if round not in self._rounds or not any(self._rounds[round].tokens):
                return

    def silent(self, step: Step) -> bool:
        """Whether nobody speaks to this activation; final once all before it are committed."""
        state = self._round(step.round)
        if step.node in state.cut:
            return True
        if self.graph.nodes[step.node].when is not None:
            return step.node not in state.sealed
        return not any(state.tokens[edge] for edge in self.plan.ins[step.node])

    def open(self, step: Step) -> tuple[View, Context]:
        """The View of an activation and the Context it runs in."""
        node, state = self.graph.nodes[step.node], self._round(step.round)
        tokens = self._inbox(step, state)
        inbox = tuple(m for token in tokens for m in token.messages)
        memory, before = self._memory.get(step.node, (None, ""))
        view = View(
            self.view.prompt,
            inbox,
            memory,
            self.ctx.scope.private.get(node.name, self.view.private),
            node.name,
            step.round,
        )
        ctx = Context(
            self.ctx.scope, f"{self._path}/{node.name}", round=step.round,
            past=combine([before, *(token.past for token in tokens)]), saw=tuple([m.id for m in inbox]),
            ledger=self.ctx.ledger, parent=self.ctx,
        )  # fmt: skip
        return view, ctx

    def deliver(self, step: Step, outcome: Outcome) -> None:
        """Lays the tokens of an activation that is done, committed or not yet."""
        if outcome.reply is not None and outcome.reply.memory is not None:
            self._memory[step.node] = (outcome.reply.memory, outcome.context.past)
        edges = self.plan.outs[step.node]
        for edge, token in zip(edges, outcome.tokens or (None,) * len(edges), strict=True):
            self._lay(step.round + self.plan.temporal[edge], edge, token)
        self._free(step)

    def skip(self, step: Step) -> None:
        """Not routed, abstained, or cut off by a join that fired: its own edges fall silent."""
        for edge in self.plan.outs[step.node]:
            self._lay(step.round + self.plan.temporal[edge], edge, None)
        self._free(step)
        self._close(step)

    def commit(self, step: Step, outcome: Outcome) -> None:
        """Puts an activation on the record. Raises what it raised, unless its node abstains on errors."""
        name = self.graph.nodes[step.node].name
        self.ctx.record.items.append(outcome.context.record)
        if (spent := outcome.context.record.total()) is not NOTHING:
            self.history.usage = self.history.usage + spent
        if outcome.error is not None:
            raise outcome.error
        if outcome.reply is None or outcome.message is None:
            self.history.abstain(name)
        else:
            self.ctx.record.items.append(outcome.message)
            self.history.add(outcome.message, outcome.reply, outcome.inbox)
            if self.ctx.scope.notify is not None:
                self.ctx.scope.notify(
                    Notice("message", outcome.context.path, step.round, outcome.message.content, outcome.message)
                )
        self._close(step)

    def message(self, step: Step, view: View, ctx: Context, reply: Reply) -> Message:
        """What an activation said, under its name; Unparseable if it addresses a node that is no successor."""
        name, past = self.graph.nodes[step.node].name, ctx.past
        if reply.sends is not None:
            near = {self.graph.nodes[self.plan.target[edge]].name for edge in self.plan.outs[step.node]}
            if unknown := sorted(set(reply.sends) - near):
                raise Unparseable(f"{ctx.path}: hand-off to {unknown[0]!r} refused; its successors are {sorted(near)}")
        made = f"{ctx.path}@{step.round}~{past}" if past else f"{ctx.path}@{step.round}"
        return Message(
            made, name, step.round, reply.content, reply.origin, reply.answer, reply.parsed, ctx.saw, reply.rewards
        )

    def tokens(self, step: Step, reply: Reply, message: Message, past: str) -> tuple[Token | None, ...]:
        """What an activation lays on each of its edges; raises what a transform of an edge raises."""
        return tuple([self._carried(edge, reply, message, past) for edge in self.plan.outs[step.node]])

    def doubtful(self, step: Step) -> bool:
        """Whether joins may fire without this activation, or have: then nothing of it may show yet."""
        if not self.plan.optional[step.node]:
            return False
        state = self._round(step.round)
        return all(self._may_do_without(state, step.round, edge) for edge in self.plan.outs[step.node])

    def distance(self, step: Step) -> int:
        """Steps from the one that is due to this one, counted as `History.left` counts them."""
        place, here = self.plan.place, self.plan.place[self.at.node]
        if step.round > self.at.round:
            between = (step.round - self.at.round - 1) * len(self.plan.order) + place[step.node]
            return len(self._left()) + between
        state = self._round(step.round)
        return sum(not self._shown_silent(state, node, here) for node in self.plan.order[here : place[step.node]])

    def _round(self, round: int) -> _Round:
        state = self._rounds.get(round)
        if state is None:
            plan = self.plan
            own = 1 if round > 0 else 0  # its own activation of the round before, whose memory it has
            state = self._rounds[round] = _Round(len(plan.source), [len(ins) + own for ins in plan.ins])
            for edge, source in enumerate(plan.source):
                if (source < 0 and round > 0) or (plan.temporal[edge] and round == 0):
                    state.laid[edge] = 1
                    state.missing[plan.target[edge]] -= 1
        return state

    def _lay(self, round: int, edge: int, token: Token | None) -> None:
        state = self._round(round)
        if state.laid[edge]:
            return
        state.laid[edge], state.tokens[edge] = 1, token
        self._less(round, self.plan.target[edge], state)

    def _free(self, step: Step) -> None:
        """An activation is done or skipped: its node may act in the next round."""
        if self._cyclic:
            state = self._round(step.round + 1)
            state.freed.add(step.node)
            self._less(step.round + 1, step.node, state)

    def _less(self, round: int, node: int, state: _Round) -> None:
        state.missing[node] -= 1
        if self.graph.nodes[node].when is not None:
            self._seal(round, node)
        elif not state.missing[node] and not self.silent(Step(round, node)):
            self.ready.append(Step(round, node))

    def _seal(self, round: int, node: int) -> None:
        """Fires a join on the shortest prefix of its inbox, in order of commit, for which it holds."""
        state, when = self._round(round), self.graph.nodes[node].when
        if when is None or node in state.sealed or not self._free_to_fire(state, round, node):
            return
        prefix: list[Message] = []
        for count, edge in enumerate(self._committed_order(node), start=1):
            if not state.laid[edge]:
                return
            token = state.tokens[edge]
            if token is not None:
                prefix.extend(token.messages)
                if when(prefix):
                    state.sealed[node] = count
                    self.ready.append(Step(round, node))
                    self._cut_off(round, state)
                    return

    def _free_to_fire(self, state: _Round, round: int, node: int) -> bool:
        return round == 0 or node in state.freed

    def _cut_off(self, round: int, state: _Round) -> None:
        """Marks the activations that nobody waits for: all they lead to are joins that fired without them."""
        for node, outs in enumerate(self.plan.outs):
            if outs and all(self._fired_without(state, edge) for edge in outs):
                state.cut.add(node)
        self.ready = [step for step in self.ready if step.round != round or step.node not in state.cut]

    def _fired_without(self, state: _Round, edge: int) -> bool:
        join = self.plan.target[edge]
        if self.plan.temporal[edge] or join not in state.sealed:
            return False
        return self._committed_order(join).index(edge) >= state.sealed[join]

    def _may_do_without(self, state: _Round, round: int, edge: int) -> bool:
        join = self.plan.target[edge]
        if join in state.sealed:
            return self._fired_without(state, edge)
        order = self._committed_order(join)
        settled = all(state.laid[before] for before in order[: order.index(edge)])
        return not (settled and self._free_to_fire(state, round, join))

    def _committed_order(self, node: int) -> list[int]:
        place = self.plan.place

        def when(edge: int) -> tuple[bool, int]:
            now = self.plan.source[edge] >= 0 and not self.plan.temporal[edge]
            return (now, place[self.plan.source[edge]] if self.plan.source[edge] >= 0 else -1)

        return sorted(self.plan.ins[node], key=when)

    def _inbox(self, step: Step, state: _Round) -> list[Token]:
        edges = self.plan.ins[step.node]
        if step.node in state.sealed:
            kept = set(self._committed_order(step.node)[: state.sealed[step.node]])
            edges = tuple(edge for edge in edges if edge in kept)
        return [token for edge in edges if (token := state.tokens[edge]) is not None]

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
            if not sent:
                return None
        return Token(sent, past)

    def _addressed(self, message: Message, target: str, content: str) -> Message:
        if content == message.content:
            return message
        own = Message(
            f"{message.id}>{target}", message.sender, message.round, content, message.origin, message.answer,
            message.parsed, message.saw, message.rewards,
        )  # fmt: skip
        return own

    def _left(self) -> list[str]:
        """Nodes of this round still to come, save those that committed tokens alone show to be silent."""
        place, round = self.plan.place, self.at.round
        state, here = self._round(round), place[self.at.node] + self._passed
        return [
            self.graph.nodes[node].name for node in self.plan.order[here:] if not self._shown_silent(state, node, here)
        ]

    def _sure(self) -> list[str]:
        """Those of them that are spoken to for certain: by a committed token, and needed by more than a join."""
        place, round = self.plan.place, self.at.round
        state, here = self._round(round), place[self.at.node] + self._passed
        sure = (node for node in self.plan.order[here:] if self._surely_due(state, node, here))
        return [self.graph.nodes[node].name for node in sure]

    def _surely_due(self, state: _Round, node: int, here: int) -> bool:
        if self.graph.nodes[node].when is not None or self.plan.optional[node]:
            return False
        return any(self._committed(edge, here) and state.tokens[edge] is not None for edge in self.plan.ins[node])

    def _shown_silent(self, state: _Round, node: int, here: int) -> bool:
        for edge in self.plan.ins[node]:
            if not self._committed(edge, here) or state.tokens[edge] is not None:
                return False
        return True

    def _committed(self, edge: int, here: int) -> bool:
        """Whether what this edge carries in the round that is due stands on the record, `here` being next."""
        source = self.plan.source[edge]
        return source < 0 or self.plan.temporal[edge] or self.plan.place[source] < here

    def _close(self, step: Step) -> None:
        self._passed = 1
        if self.plan.place[step.node] == len(self.plan.order) - 1:
            self.history.rounds += 1
