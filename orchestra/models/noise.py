"""Randomness by name: a draw depends on its seed and position and on nothing else.

A counter-based generator keeps no state, so the order, batch or thread in which draws are made cannot change them.
"""

from __future__ import annotations

from hashlib import blake2b

_BITS = 24


def uniform(seed: int, position: int) -> float:
    """A number on the grid k / 2**24 in [0, 1), the BLAKE2b hash of (seed, position).

    24 bits are what float32 holds below one, so `uniform(...) * total < total` also in single precision, and an inverse
    CDF never runs past its last entry.

    >>> uniform(7, 0) == uniform(7, 0), uniform(7, 0) != uniform(7, 1)
    (True, True)
    """
    name = blake2b(b"%d:%d" % (seed, position), digest_size=_BITS // 8).digest()
    return float(int.from_bytes(name, "big") / (1 << _BITS))
