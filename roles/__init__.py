"""The shelf of roles, one a file; each is a Role to be called with a policy or a model."""

from orchestra.roles.citizen import citizen
from orchestra.roles.debater import debater
from orchestra.roles.generator import generator
from orchestra.roles.refiner import refiner
from orchestra.roles.verifier import verifier

__all__ = ["citizen", "debater", "generator", "refiner", "verifier"]
