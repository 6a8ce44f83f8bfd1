"""Contract tests, shipped so that any author can run them on their own work: `check_*` raise AssertionError."""

from orchestra.contracts.benchmark import check_benchmark
from orchestra.contracts.model import check_model
from orchestra.contracts.role import check_role
from orchestra.contracts.topology import check_topology
from orchestra.contracts.world import check_world

__all__ = ["check_benchmark", "check_model", "check_role", "check_topology", "check_world"]
