"""Weights that answer. The local back-end lives in `orchestra.models.local`, which alone loads torch."""
