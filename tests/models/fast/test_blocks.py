"""The cache's blocks against a plain account of what each of them holds."""

from __future__ import annotations

import pytest

pytest.importorskip(
    "orchestra.models.fast.runtime", reason="needs the extra `fast`: pip install 'orchestra-teams[fast]'"
)

from hypothesis import given
from hypothesis import strategies as st

from orchestra.models.fast.blocks import SIZE, Blocks, Lease

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


def test_a_prefix_outlives_its_row_until_room_is_needed() -> None:
    blocks = Blocks(4)
    blocks.close(blocks.open("w", LONG, len(LONG)))
    assert blocks.room == 4
    again = blocks.open("w", LONG, len(LONG))
    assert again.known == 3 * SIZE
    blocks.close(again)
    blocks.close(blocks.open("w", (), 2 * SIZE))  # takes the free block and the end of the prefix
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
        st.sampled_from(["open", "close", "forget"]), st.integers(0, 3), st.integers(1, 3 * SIZE), st.integers(0, 40)
    ),
    max_size=40,
)


@given(STEPS)
def test_what_is_known_was_written_and_no_one_else_writes_it(steps: list[tuple[str, int, int, int]]) -> None:
    """Each row writes all that it was not given as known; then the known blocks must hold just its own prefix."""
    blocks, held, live = Blocks(24), dict[int, list[object]](), list[tuple[Lease, tuple[int, ...]]]()
    for what, choice, length, more in steps:
        if what == "forget":
            blocks.forget()
        elif what == "close" and live:
            blocks.close(live.pop(choice % len(live))[0])
        elif what == "open":
            prompt = tuple(token // (1 + choice) for token in range(length))
            if -(-(length + more) // SIZE) > blocks.room:
                continue
            lease = blocks.open(f"w{choice % 2}", prompt, length + more)
            own = lease.blocks[lease.known // SIZE :]
            assert not {*own} & {block for other, _ in live for block in other.blocks}, "a block is written by one row"
            for at, block in enumerate(own, lease.known // SIZE):
                held[block] = [choice % 2, prompt[: (at + 1) * SIZE]]
            for at, block in enumerate(lease.blocks[: lease.known // SIZE]):
                assert held[block] == [choice % 2, prompt[: (at + 1) * SIZE]]
            assert len(lease.blocks) == -(-(length + more) // SIZE) and len({*lease.blocks}) == len(lease.blocks)
            live.append((lease, prompt))
    for lease, _ in live:
        blocks.close(lease)
    assert blocks.room == 24, "no block is lost"
