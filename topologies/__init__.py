"""The shelf of topologies: functions that take agents and return a Team, one a file."""

from orchestra.topologies.best_of_n import best_of_n
from orchestra.topologies.cascade import cascade
from orchestra.topologies.ceo import ceo
from orchestra.topologies.chain import chain
from orchestra.topologies.debate import debate
from orchestra.topologies.delegate import delegate
from orchestra.topologies.dylan import dylan
from orchestra.topologies.ensemble import ensemble
from orchestra.topologies.falsify import falsify
from orchestra.topologies.hierarchical import hierarchical
from orchestra.topologies.infonav import infonav
from orchestra.topologies.jury import jury
from orchestra.topologies.layered import layered
from orchestra.topologies.long import long
from orchestra.topologies.macnet import macnet
from orchestra.topologies.mdagents import mdagents
from orchestra.topologies.modeling import modeling
from orchestra.topologies.self_consistency import self_consistency
from orchestra.topologies.self_refine import self_refine
from orchestra.topologies.solo import solo

__all__ = [
    "best_of_n",
    "cascade",
    "ceo",
    "chain",
    "debate",
    "delegate",
    "dylan",
    "ensemble",
    "falsify",
    "hierarchical",
    "infonav",
    "jury",
    "layered",
    "long",
    "macnet",
    "mdagents",
    "modeling",
    "self_consistency",
    "self_refine",
    "solo",
]
