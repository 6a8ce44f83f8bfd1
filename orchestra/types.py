"""The values that everything else passes around: frozen, hashable, and importing nothing of ours.

They do nothing. How they are saved and read back is the business of `trajectory.codec`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, NamedTuple, TypeVar

K = TypeVar("K")
V = TypeVar("V", covariant=True)
C = TypeVar("C", bound=type[Any])


def quick(cls: C) -> C:
    """A frozen slotted dataclass whose constructor takes half the time: it sets each slot directly, where the usual one
    goes through `object.__setattr__` by name. A run of three agents makes some thirty values, a sixth of its time.

    >>> @quick
    ... @dataclass(frozen=True, slots=True)
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1), Point(y=2, x=1) == Point(1, 2)
    (Point(x=1, y=0), True)
    """
    names = [f.name for f in fields(cls)]
    known = {f"set_{name}": getattr(cls, name).__set__ for name in names}
    known |= {f"default_{f.name}": f.default for f in fields(cls) if f.default is not MISSING}
    taken = ", ".join(f"{name}=default_{name}" if f"default_{name}" in known else name for name in names)
    lines = "".join(f"    set_{name}(self, {name})\n" for name in names)
    exec(f"def __init__(self, {taken}):\n{lines}", known)  # noqa: S102  (as dataclasses makes its own)
    known["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    known["__init__"].__annotations__ = cls.__init__.__annotations__
    cls.__init__ = known["__init__"]
    return cls


class FrozenMap(Mapping[K, V]):
    """A mapping that can be hashed and not changed.

    >>> FrozenMap({"a": 1})["a"], hash(FrozenMap()) == hash(FrozenMap({}))
    (1, True)
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[K, V] | None = None) -> None:
        self._items: dict[K, V] = dict(items or {})

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415  (`import orchestra` does not pay for pydantic)

        arguments = getattr(source, "__args__", None) or (Any, Any)
        inner = handler.generate_schema(dict.__class_getitem__(arguments))
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.no_info_before_validator_function(lambda v: dict(v) if isinstance(v, Mapping) else v, inner),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )


EMPTY: FrozenMap[Any, Any] = FrozenMap()

AnswerKind = Literal["number", "choice", "text", "code"]
Origin = Literal["agent", "tool", "world", "person", "data"]
Finish = Literal["stop", "length", "cancelled"]


@quick
@dataclass(frozen=True, slots=True)
class Task:
    """One question or episode seed. Of it only `prompt` and a seat's own `private` line reach a View; `gold` never."""

    id: str
    prompt: str
    gold: Any = None
    """The right answer, as the benchmark's scorer wants it; None where there is none."""
    kind: AnswerKind = "text"
    """Sets equivalence and format of answers."""
    private: FrozenMap[str, str] = EMPTY
    """Seat -> what it alone is told."""
    choices: tuple[str, ...] = ()
    family: str = ""
    split: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Message:
    """What one activation said: stored once, passed by reference, visible where an edge carries it, nowhere else."""

    id: str
    """path@round~past, unique in a tree."""
    sender: str
    round: int
    """Counted from 0."""
    content: str
    origin: Origin = "agent"
    answer: str | None = None
    """Comparable; None: it abstained."""
    parsed: Any = None
    """The Role's typed output."""
    saw: tuple[str, ...] = ()
    """Message ids in its View."""
    rewards: FrozenMap[str, float] = EMPTY
    """Seat -> local reward."""


@quick
@dataclass(frozen=True, slots=True)
class View:
    """All that a node may see."""

    prompt: str
    inbox: tuple[Message, ...] = ()
    """In edge order, never in order of arrival."""
    memory: Any = None
    """What this node's own last Reply left."""
    private: str = ""
    """Its line of Task.private."""
    seat: str = ""
    """Its node's name."""
    round: int = 0


@quick
@dataclass(frozen=True, slots=True)
class Reply:
    """What a node answers. A `sends` name that is no successor is refused; a successor left out hears nothing."""

    content: str = ""
    answer: str | None = None
    parsed: Any = None
    sends: Mapping[str, str | tuple[Message, ...]] | None = None
    """Successor -> its own text, or messages passed on; None: content to all."""
    memory: Any = None
    rewards: FrozenMap[str, float] = EMPTY
    stop: str | None = None
    """The reason, if this node finds that its team is done."""
    origin: Origin = "agent"


@quick
@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent; adds up.

    >>> Usage(calls=1, tokens_in=5) + Usage(calls=1, tokens_out=2)
    Usage(calls=2, tokens_in=5, tokens_out=2, cost=0.0, seconds=0.0)
    """

    calls: int = 0
    tokens_in: int = 0
    """Prompt tokens, cached or not."""
    tokens_out: int = 0
    cost: float = 0.0
    """In the currency of the price table; 0.0 for local models."""
    seconds: float = 0.0
    """Of model time, as recorded; not wall-clock of the run."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost + other.cost,
            self.seconds + other.seconds,
        )

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


class Key(NamedTuple):
    """The name of an effect in one run: a state, and which draw from it."""

    state: str
    draw: int = 0


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """One model call, data only; the journal keeps its digest, with those of weights, tokenizer and template."""

    messages: tuple[tuple[str, str], ...]
    """(chat role, content), chat role one of system, user, assistant; special tokens in content are inert."""
    adapter: str = ""
    """Folder of the policy's adapter; empty: the base model."""
    options: tuple[str, ...] = ()
    """A closed set to score; empty: generate."""
    prefix: Key | None = None
    """Extend the ids of this earlier decision of the agent: never re-encode."""
    max_tokens: int = 256
    temperature: float = 1.0
    """0.0 is greedy."""
    stop: tuple[str, ...] = ()
    """Generation ends before the first of these; it is not part of the text."""
    seed: int = 0
    """Set at the door, from the Key."""
    grammar: str = ""
    """What the reply must match: {"json_schema": {...}}, {"regex": "..."} or {"enum": ["...", ...]} as JSON text; if
    empty, anything. Properties come in the schema's order: do not sort its keys. Needs the capability `grammar`."""


LATER: FrozenMap[str, Any] = FrozenMap({"grammar": ""})
"""Fields of saved values that came after the first records. At these values they are left out of what is saved and of
digests, so that old records and journals stay what they are."""


@quick
@dataclass(frozen=True, slots=True)
class Completion:
    """What a model really saw and sampled; a choice is a completion whose text is one of the options."""

    text: str
    prompt_ids: tuple[int, ...] | None
    """None: a remote back-end that does not tell; fine for SFT and DPO, refused for RL."""
    output_ids: tuple[int, ...] | None
    """What the model sampled, or a grammar forced; the end-of-turn token included where it was sampled."""
    logprobs: tuple[float, ...] | None
    """log-softmax(logits / temperature) over the whole vocabulary, before truncation and grammar; None: not known."""
    mask: tuple[int, ...] | None
    """1 = sampled by the model, 0 = forced by a grammar; as long as `output_ids`."""
    finish: Finish
    usage: Usage
    truncated: bool = False
    """The sampler cut the distribution (top-k, top-p, grammar): not for RL."""
    scores: tuple[float, ...] = ()
    """Calibrated log-probability of each option, of a scored choice."""
    raw: tuple[float, ...] = ()
    """Raw summed log-probability of each option, of a scored choice."""
