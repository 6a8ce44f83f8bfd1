"""Credit rules, one a file: rewards of leaves in, annotations of decisions out."""

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.nested_mean import nested_mean

__all__ = ["Annotation", "Credit", "Scored", "Table", "nested_mean"]
