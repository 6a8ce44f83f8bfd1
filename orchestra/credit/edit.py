"""How far two texts are from each other: what tells a new reply from one that was said already."""

from __future__ import annotations


def edit_distance(a: str, b: str) -> float:
    """Levenshtein's distance by characters over the length of the longer text: 0.0 equal, 1.0 nothing in common.

    Myers (1999), J. ACM 46, 395, with the column as one whole number: as many steps as `b` has characters.

    >>> edit_distance("kitten", "sitting") == 3 / 7, edit_distance("", ""), edit_distance("ab", "")
    (True, 0.0, 1.0)
    """
    if a == b:
        return 0.0
    if not a or not b:
        return 1.0
    places: dict[str, int] = {}
    for i, letter in enumerate(a):
        places[letter] = places.get(letter, 0) | 1 << i
    every, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    up, down, distance = every, 0, len(a)  # bit i: the column rises, falls, from row i to the next
    for letter in b:
        match = places.get(letter, 0)
        diagonal = (((match & up) + up) ^ up) | match | down
        right, left = down | ~(diagonal | up) & every, up & diagonal
        distance += bool(right & last) - bool(left & last)
        right, left = right << 1 | 1, left << 1
        up, down = (left | ~(diagonal | right)) & every, right & diagonal & every
    return distance / max(len(a), len(b))
