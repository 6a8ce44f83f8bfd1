"""Drawings of a team, bare or with a run laid over it. Each is plain text, the same for the same team."""

from orchestra.team.draw.flowchart import mermaid
from orchestra.team.draw.graphviz import dot
from orchestra.team.draw.overlay import Activity, Overlay, overlay
from orchestra.team.draw.picture import svg

__all__ = ["Activity", "Overlay", "dot", "mermaid", "overlay", "svg"]
