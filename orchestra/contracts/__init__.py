"""Contract tests, shipped so that any author can run them on their own work: `check_*` raise AssertionError."""

from orchestra.contracts.benchmark import check_benchmark

__all__ = ["check_benchmark"]
