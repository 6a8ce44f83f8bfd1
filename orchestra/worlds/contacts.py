"""Who meets whom, as an array (N, K) of agents: symmetric, so that pushing along rows and pulling along them agree.

Symmetric means: j stands in row i as often as i stands in row j. Arrays are read-only, so that copies of a world share
them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestra.errors import BadInput
from orchestra.worlds.draws import shuffled

CYCLES: Final = 1000
"""First random stream of the cycles; each takes one."""


def regular(n: int, k: int, seed: int) -> NDArray[np.int32]:
    """A random graph in which each of n agents has k contacts, k even: the union of k/2 random Hamiltonian cycles.

    No agent meets itself; two may meet twice. From k = 4 such unions are contiguous to uniform random k-regular graphs
    (Wormald, "Models of random regular graphs", 1999). Raises BadInput for odd k and for fewer than 3 agents.

    >>> regular(5, 2, seed=0).shape
    (5, 2)
    """
    if k < 2 or k % 2:
        raise BadInput(f"contacts per agent must be an even number of at least 2, got {k!r}; use {max(2, k + 1)}")
    if n < 3:
        raise BadInput(f"a contact graph needs at least 3 agents, got {n!r}")
    contacts = np.empty((n, k), np.int32)
    for cycle in range(k // 2):
        order = shuffled(seed, n, CYCLES + cycle)
        after = np.roll(order, -1)
        contacts[order, 2 * cycle] = after
        contacts[after, 2 * cycle + 1] = order
    contacts.setflags(write=False)
    return contacts


def complete(n: int) -> NDArray[np.int32]:
    """Everybody meets everybody else: (n, n - 1).

    >>> complete(3).tolist()
    [[1, 2], [2, 0], [0, 1]]
    """
    contacts: NDArray[np.int32] = np.add.outer(np.arange(n, dtype=np.int32), np.arange(1, n, dtype=np.int32))
    contacts %= np.int32(n)
    contacts.setflags(write=False)
    return contacts
