"""Reports of finished evaluations: one static page, with Markdown and JSON beside it."""

from orchestra.evaluation.report.content import Report, report
from orchestra.evaluation.report.markdown import markdown
from orchestra.evaluation.report.page import page

__all__ = ["Report", "markdown", "page", "report"]
