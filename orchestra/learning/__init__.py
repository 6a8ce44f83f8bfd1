"""From trajectories to weights: rows, adapters and the fitting of one policy. Reads what teams left; runs none.

What needs torch is imported from its own module: `orchestra.learning.sft`.
"""

from orchestra.learning.adapters import Bound, Entry, Manifest, base_digest, bind, read_manifest
from orchestra.learning.pairs import Choosing, Pair, preference_pairs
from orchestra.learning.publishing import publish
from orchestra.learning.row import Encoder, Row
from orchestra.learning.rows import dropped, joined, refuse_overlap, sft_rows, valued
from orchestra.learning.settings import Settings, processes

__all__ = [
    "Bound",
    "Choosing",
    "Encoder",
    "Entry",
    "Manifest",
    "Pair",
    "Row",
    "Settings",
    "base_digest",
    "bind",
    "dropped",
    "joined",
    "preference_pairs",
    "processes",
    "publish",
    "read_manifest",
    "refuse_overlap",
    "sft_rows",
    "valued",
]
