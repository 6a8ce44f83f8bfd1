"""The cache's blocks against a plain account of which tokens each of them holds."""

from __future__ import annotations

import pytest

pytest.importorskip(
    "orchestra.models.fast.runtime", reason="needs the extra `fast`: pip install 'orchestra-teams[fast]'"
)

from hypothesis import given
from hypothesis import strategies as st

from orchestra.models.fast.blocks import SIZE, STEP, Blocks, Copy, Lease

LONG = tuple(range(3 * SIZE + 5))


def test_rows_of_one_prefix_share_its_full_blocks() -> None:
    blocks = Blocks(20)
    first, second = blocks.open("w", LONG, len(LONG) + 10), blocks.open("w", LONG, len(LONG) + 40)
    assert (first.known, second.known) == (0, 3 * SIZE)
    assert first.blocks[:3] == second.blocks[:3] and not {*first.blocks[3:]} & {*second.blocks[3:]}
    assert (len(first.blocks), len(second.blocks)) == (4, 5)


@pytest.mark.parametrize(("length", "known"), [(SIZE, 0), (SIZE + 1, SIZE), (2 * SIZE, SIZE), (2 * SIZE + 1, 2 * SIZE)])
def test_the_last_token_of_a_prompt_is_never_known(length: int, known: int) -> None:
    blocks = Blocks(20)
    blocks.open("w", LONG[:length], length)
    assert blocks.open("w", LONG[:length], length).known == known


def test_other_weights_and_other_tokens_share_nothing() -> None:
    blocks = Blocks(40)
    blocks.open("w", LONG, len(LONG))
    assert blocks.open("v", LONG, len(LONG)).known == 0
    assert blocks.open("w", (7, *LONG[1:]), len(LONG)).known == 0
    changed = (*LONG[: SIZE + 1], -1, *LONG[SIZE + 2 :])
    assert blocks.open("w", changed, len(changed)).known == SIZE


def test_a_beginning_that_ends_within_a_block_is_copied() -> None:
    """At whole STEPs, and for an equal prompt at all but its last token; not before it is computed."""
    blocks = Blocks(20)
    prompt = LONG[: SIZE + 2 * STEP + 3]
    other = (*prompt[: SIZE + 2 * STEP - 1], -1, -2)
    first = blocks.open("w", prompt, len(prompt))
    assert blocks.soon("w", prompt) and blocks.soon("w", other) and not blocks.soon("w", LONG[:STEP])
    early = blocks.open("w", prompt, len(prompt))
    assert (early.known, early.copy) == (SIZE, None)
    blocks.settle()
    assert not blocks.soon("w", prompt)
    equal, alike = blocks.open("w", prompt, len(prompt)), blocks.open("w", other, len(other))
    assert (equal.known, equal.copy) == (len(prompt) - 1, Copy(first.blocks[1], equal.blocks[1]))
    assert (alike.known, alike.copy) == (SIZE + STEP, Copy(first.blocks[1], alike.blocks[1]))


def test_a_prefix_outlives_its_row_until_room_is_needed() -> None:
    blocks = Blocks(4)
    blocks.close(blocks.open("w", LONG, len(LONG)))
    assert blocks.room == 4
    again = blocks.open("w", LONG, len(LONG))
    assert again.known == 3 * SIZE
    blocks.close(again)
    before = blocks.evictions
    blocks.close(blocks.open("w", (), 2 * SIZE))  # takes the two blocks at the end of the prefix
    assert blocks.evictions - before == 2
    assert blocks.open("w", LONG, len(LONG)).known == 2 * SIZE


def test_nothing_is_known_after_forget() -> None:
    blocks = Blocks(8)
    done, running = blocks.open("w", LONG, len(LONG)), blocks.open("w", LONG, len(LONG))
    blocks.close(done)
    blocks.forget()
    assert blocks.open("w", LONG[: SIZE + 1], SIZE + 1).known == 0
    blocks.close(running)
    assert blocks.room == 6


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "open", "close", "settle", "forget"]),
        st.integers(0, 3),
        st.integers(1, 3 * SIZE),
        st.integers(0, 40),
    ),
    max_size=40,
)


class Account:
    """What each block holds: for each of its places, the prompt up to there; None where nothing is computed."""

    def __init__(self) -> None:
        self.held: dict[int, list[object]] = {}
        self.later: list[tuple[int, int, object]] = []

    def open(self, lease: Lease, weights: str, prompt: tuple[int, ...]) -> None:
        """Copies at once; checks that all that the row knows is there; its own tokens are there after `settle`."""
        if lease.copy is not None:
            self.held[lease.copy.target] = list(self.held[lease.copy.source])
        soon = {(block, place) for block, place, _ in self.later}
        for at in range(len(prompt)):
            block, place, mine = lease.blocks[at // SIZE], at % SIZE, (weights, prompt[: at + 1])
            if at >= lease.known:
                self.later.append((block, place, mine))
            elif (block, place) in soon:
                assert at // SIZE < lease.known // SIZE, "only whole blocks are shared before they are computed"
                assert (block, place, mine) in self.later
            else:
                assert self.held[block][place] == mine

    def settle(self) -> None:
        for block, place, mine in self.later:
            self.held.setdefault(block, [None] * SIZE)[place] = mine
        self.later.clear()


@given(STEPS)
def test_what_is_known_is_what_was_written_and_no_one_else_writes_it(steps: list[tuple[str, int, int, int]]) -> None:
    blocks, account, live = Blocks(24), Account(), list[tuple[Lease, str]]()
    for what, choice, length, more in steps:
        if what == "settle" or what == "forget":
            account.settle()
            blocks.settle()
            if what == "forget":
                blocks.forget()
        elif what == "close" and live:
            account.settle()  # rows leave between steps
            blocks.settle()
            blocks.close(live.pop(choice % len(live))[0])
        elif what == "open":
            weights, prompt = f"w{choice % 2}", tuple(token // (1 + choice) for token in range(length))
            if -(-(length + more) // SIZE) > blocks.room:
                continue
            lease = blocks.open(weights, prompt, length + more)
            own = lease.blocks[lease.known // SIZE :]
            assert not {*own} & {block for other, _ in live for block in other.blocks}, "a block is written by one row"
            assert len(lease.blocks) == -(-(length + more) // SIZE) and len({*lease.blocks}) == len(lease.blocks)
            assert lease.known < length
            account.open(lease, weights, prompt)
            live.append((lease, weights))
    for lease, _ in live:
        blocks.close(lease)
    assert blocks.room == 24, "no block is lost"
