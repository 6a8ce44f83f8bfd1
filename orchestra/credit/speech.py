"""Who said what in one finished run, who read it, and which call's words it is.

A member is a node of the outermost team that speaks: its messages have words. Switches and other nodes without words of
their own only pass messages on, so they are nobody's readers. Everything here is read from the trajectory alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestra.errors import BadInput
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Message


def address(message: Message) -> tuple[str, int]:
    """Path and round of the activation that said it.

    >>> address(Message("debate/ada@2~0f3c", "ada", 2, "91"))
    ('debate/ada', 2)
    """
    path, _, round = message.id.partition("~")[0].rpartition("@")
    return path, int(round)


def spoken(trajectory: Trajectory) -> list[Message]:
    """What the members said, in canonical order. Raises BadInput on a tree, whose leaves are runs of their own."""
    if len(trajectory.leaves) != 1:
        raise BadInput(
            f"trajectory {trajectory.id} has {len(trajectory.leaves)} leaves; expected a run without branches; "
            "fix: runs of `orchestra eval`, or of `orchestra collect` without --branch"
        )
    deep = [(address(message)[0].count("/"), message) for message in trajectory.messages]
    outermost = min((depth for depth, _ in deep), default=0)
    return [message for depth, message in deep if depth == outermost and message.content.strip()]


def read_by(saw: Iterable[str], known: Mapping[str, Message]) -> list[Message]:
    """The known messages among those of a view, in its order. One worded for its reader has that reader's name behind
    its id; what is not known (a message to the whole team, one from within a nested team) is left out."""
    found = []
    for seen in saw:
        id = seen
        while id not in known and ">" in id:
            id = id.rpartition(">")[0]
        if id in known:
            found.append(known[id])
    return found


def said_in(message: Message, decisions: Sequence[Decision]) -> Decision | None:
    """The call whose words a message is: the last of its activation, or of a team within; None: no single call's."""
    path, round = address(message)
    for made in reversed(decisions):
        within = made.path.startswith(f"{path}/") or (made.path == path and made.round == round)
        if within and made.completion is not None and made.completion.text.strip() == message.content.strip():
            return made
    return None
