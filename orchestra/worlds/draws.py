"""Counter-based random numbers: a draw is a function of (seed, stream, step, agent), never of what was drawn before.

So draws do not depend on the order of agents, on chunks or on threads, and those that nobody needs are never made.
The generator is SplitMix64 (Steele, Lea, Flood 2014): the draws of one (seed, stream, step) are its output sequence,
and an agent's number is the position in it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

GOLDEN: Final = 0x9E3779B97F4A7C15
_WORD: Final = (1 << 64) - 1


def mix(word: int) -> int:
    """SplitMix64's finaliser on one 64-bit word.

    >>> mix(1234567 + GOLDEN)
    6457827717110365317
    """
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _WORD
    return word ^ word >> 31


def bits(seed: int, agents: NDArray[Any], step: int, stream: int) -> NDArray[np.uint64]:
    """64 random bits for each agent (N,); `stream` keeps apart the different things that one step draws."""
    state = 0
    for word in (seed, stream, step):
        state = mix((state ^ word & _WORD) + GOLDEN & _WORD)
    z = agents.astype(np.uint64)
    z += np.uint64(1)
    z *= np.uint64(GOLDEN)
    z += np.uint64(state)
    shifted = z >> np.uint64(30)
    z ^= shifted
    z *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(z, np.uint64(27), out=shifted)
    z ^= shifted
    z *= np.uint64(0x94D049BB133111EB)
    np.right_shift(z, np.uint64(31), out=shifted)
    z ^= shifted
    return z


def uniform(seed: int, agents: NDArray[Any], step: int, stream: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each agent (N,), on the grid of 2^-53."""
    z = bits(seed, agents, step, stream)
    z >>= np.uint64(11)
    return np.multiply(z, 2.0**-53, dtype=np.float64)


def sample(seed: int, n: int, size: int, stream: int) -> NDArray[np.int64]:
    """`size` of the agents 0..n-1 without replacement, ascending: those with the smallest bits."""
    words = bits(seed, np.arange(n), 0, stream)
    chosen = np.argpartition(words, size - 1)[:size] if 0 < size < n else np.arange(min(size, n))
    return np.sort(chosen)


def shuffled(seed: int, n: int, stream: int) -> NDArray[np.int64]:
    """The agents 0..n-1 in random order."""
    return np.argsort(bits(seed, np.arange(n), 0, stream), kind="stable")
