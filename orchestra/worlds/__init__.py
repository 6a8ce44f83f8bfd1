"""Worlds in which agents act: a protocol, and the epidemic, whose equations populations share."""

from orchestra.worlds.epidemic import Epidemic
from orchestra.worlds.scenario import Scenario
from orchestra.worlds.world import Step, World

__all__ = ["Epidemic", "Scenario", "Step", "World"]
