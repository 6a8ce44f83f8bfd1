"""A report as one static HTML page: no address outside of it, readable without a server and without JavaScript.

Invariant: what models and users wrote is text and nothing else. Every value is escaped by the template; besides, the
page allows its browser one style sheet and one script, by their digests, and to load nothing, so that what escaping
missed would still not act. The graph is an image of its own, since the styles of a drawing would reach the whole page.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final, get_args

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from orchestra.evaluation.report.content import Report
from orchestra.evaluation.report.transcripts import State

HERE: Final = Path(__file__).parent


def page(report: Report) -> str:
    """The text of the page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style, script = (_part(name) for name in ("page.css", "page.js"))
    text = environment.from_string(_part("page.html.jinja")).render(
        report=report,
        states=get_args(State),
        # Texts of this package, and drawings that escape what they show.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        chart=Markup(report.chart or ""),  # noqa: S704
        graph=None if report.graph is None else _image(report.graph),
        style_digest=_digest(style),
        script_digest=_digest(script),
    )
    return text.lstrip()


def _part(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a content security policy names an inline text."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _image(svg: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
