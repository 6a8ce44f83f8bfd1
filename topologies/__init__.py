"""The shelf of topologies: functions that take agents and return a Team, one a file."""

from orchestra.topologies.chain import chain
from orchestra.topologies.debate import debate
from orchestra.topologies.self_consistency import self_consistency
from orchestra.topologies.solo import solo

__all__ = ["chain", "debate", "self_consistency", "solo"]
