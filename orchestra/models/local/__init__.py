"""The default back-end: an open model in this process, exact and batched. Imports torch."""

from orchestra.models.local.model import LocalModel as LocalModel
