"""One training row: token ids exactly as they were read and sampled, with labels on the sampled ones alone.

Prompts, tool results, forced tokens and other agents' words never carry a label. Text is encoded again only where
nobody kept the ids, and the row says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from orchestra.digest import digest
from orchestra.errors import BadData
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Key

IGNORED = -100
"""Label of a token without loss, as in torch's cross-entropy and TRL."""

Messages = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence to learn from."""

    run: str
    """Id of the trajectory."""
    key: Key
    """Of the last decision that the row labels, in that run."""
    role: str
    policy: str
    """Name of the policy, without its version."""
    task: str
    """`content` of the task's prompt."""
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    """As long as `input_ids`: the same id where the policy sampled it, else IGNORED; not yet shifted."""
    weight: float = 1.0
    """How many equal rows this one stands for."""
    source: Literal["sampled", "reencoded"] = "sampled"
    """Whether the ids are the model's own, or text that was encoded again; the latter is refused for RL."""


class Encoder(NamedTuple):
    """Chat template and tokenizer, for text whose ids are not known."""

    prompt: Callable[[Messages], Sequence[int]]
    """Ids of a conversation, up to where the assistant begins to speak."""
    plain: Callable[[str], Sequence[int]]
    """Ids of ordinary text."""
    end: int
    """The token that ends a turn."""


def row_of(trajectory: Trajectory, decision: Decision, encoder: Encoder | None) -> Row:
    """The row of a decision that has a completion. Raises BadData where its ids are unknown and `encoder` is None."""
    said = decision.completion
    assert said is not None
    exact = said.prompt_ids is not None and said.output_ids is not None
    prompt, output = (
        (said.prompt_ids or (), said.output_ids or ()) if exact else _encoded(trajectory, decision, encoder)
    )
    mask = sampled(decision) if exact else (1,) * len(output)
    return Row(
        run=trajectory.id,
        key=decision.key,
        role=decision.role,
        policy=decision.policy.rpartition("@")[0] or decision.policy,
        task=content(trajectory.task.prompt),
        input_ids=(*prompt, *output),
        labels=(IGNORED,) * len(prompt) + tuple(i if m else IGNORED for i, m in zip(output, mask, strict=True)),
        source="sampled" if exact else "reencoded",
    )


def sampled(decision: Decision) -> tuple[int, ...]:
    """1 for each output token that the model chose, 0 for one that a grammar forced; a choice is chosen as a whole."""
    said = decision.completion
    assert said is not None
    if said.output_ids is None:
        return (1,) * len(said.text)
    if said.mask is None or decision.request.options:
        return (1,) * len(said.output_ids)
    return said.mask


def content(prompt: str) -> str:
    """What names a task by its words alone.

    >>> content("What is 1 + 1?") == content(" what is  1 + 1?")
    True
    """
    return digest(" ".join(prompt.casefold().split()))


def _encoded(
    trajectory: Trajectory, decision: Decision, encoder: Encoder | None
) -> tuple[Sequence[int], Sequence[int]]:
    """Prompt and reply of a decision whose ids are not known; a reply that was cut off has no end of turn."""
    if encoder is None:
        raise BadData(
            f"trajectory {trajectory.id}: expected token ids, got text alone from {decision.policy!r} at "
            f"{decision.path!r}; fix: pass an encoder"
        )
    known = {other.key: other for other in trajectory.decisions}
    said = decision.completion
    assert said is not None
    ending = () if said.finish == "length" else (encoder.end,)
    return tuple(encoder.prompt(_conversation(decision, known))), (*encoder.plain(said.text), *ending)


def _conversation(decision: Decision, known: Mapping[Key, Decision]) -> Messages:
    """The messages of a decision, after those of the turns that it extends."""
    if decision.request.prefix is None:
        return decision.request.messages
    earlier = known[decision.request.prefix]
    said = earlier.completion.text if earlier.completion else ""
    return (*_conversation(earlier, known), ("assistant", said), *decision.request.messages)
