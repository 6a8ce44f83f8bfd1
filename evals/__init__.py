"""Benchmarks, one a file: official loader, offline generated sample, strict and flexible scores, chance level."""

from orchestra.evals.arith import arith

__all__ = ["arith"]
