"""Loading and training without what the libraries say about themselves."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging


@contextmanager
def quiet() -> Iterator[None]:
    """Without loading bars, and without warnings of an option's new name, which this TRL does not know yet."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`(is_)?gradient_checkpointing`", FutureWarning)
            yield
    finally:
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]
