"""What a worker thread gives the callers of its items: one outcome each, unless the caller has gone."""

from __future__ import annotations

from collections.abc import Iterable

from orchestra.errors import CallFailed
from orchestra.models.local.row import Row
from orchestra.models.local.scoring import Options


def claimed(item: Row | Options) -> bool:
    """Whether the item still wants an outcome; from here on its caller cannot cancel it."""
    return not item.future.done() and item.future.set_running_or_notify_cancel()


def fail(items: Iterable[Row | Options], reason: str, cause: BaseException | None) -> None:
    """Fails those of the items that still want an outcome."""
    for item in items:
        if claimed(item):
            error = CallFailed(reason)  # one each: an exception carries the traceback of who awaits it
            error.__cause__ = cause
            item.future.set_exception(error)
