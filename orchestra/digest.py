"""One way to turn a value into a name: canonical JSON, then BLAKE2b."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; refuses NaN and infinity, so that equal values have equal text.

    >>> canonical({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return _encode(value)


def digest(*parts: str) -> str:
    """32 hex digits that name these strings in this order; no two lists of parts share a text.

    >>> digest("ab", "c") != digest("a", "bc")
    True
    """
    pieces = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        pieces.append(b"%d:%b" % (len(data), data))
    return blake2b(b"".join(pieces), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """BLAKE2b (32 hex digits) of a file's bytes, read in pieces."""
    state = blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            state.update(piece)
    return state.hexdigest()
