"""Saved teams as plain data, right or spoilt in one place."""

from __future__ import annotations

from typing import Any

from orchestra.engine import START
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.topologies import solo

Form = dict[str, Any]

AGENT: Form = solo(generator(Scripted(()))).save()["team"]["nodes"][0]["actor"]


def node(name: str, actor: Form | None = None, **more: Any) -> Form:
    return {"$": "node", "name": name, "actor": actor or AGENT, **more}


def edge(src: str, dst: str, kind: str = "spatial") -> Form:
    return {"$": "edge", "src": src, "dst": dst, **({"kind": kind} if kind != "spatial" else {})}


def graph(nodes: list[Form], edges: list[Form], **more: Any) -> Form:
    """A team, as an actor."""
    return {"$": "team", "name": "t", "nodes": nodes, "edges": edges, **more}


def file(team: Form) -> Form:
    """The data of a whole file."""
    return {"schema": 1, "team": team}


def team(names: str | list[str], *edges: tuple[str, ...], **more: Any) -> Form:
    """A file of a team of equal agents."""
    return file(graph([node(name) for name in names], [edge(*ends) for ends in edges], **more))


def within(inner: Form) -> Form:
    """A file of a team whose only node is the team of another file."""
    return file(graph([node("inner", inner["team"])], [edge(START, "inner")]))


def rounds(limit: Any) -> Form:
    """A file of a team of one agent that reads itself, for that many rounds."""
    return team("a", (START, "a"), ("a", "a", "temporal"), stop={"$": "maxrounds", "limit": limit})


def routed(branches: list[str], *edges: tuple[str, ...]) -> Form:
    """A file of a router and the nodes a and b."""
    router = node("route", {"$": "route", "agent": AGENT, "branches": branches}, votes=False)
    return file(graph([router, node("a"), node("b")], [edge(START, "route"), *(edge(*ends) for ends in edges)]))
