"""Words that others say in our name: usage errors, and what libraries log and warn of.

They quote arguments, file names and what servers answer, so they are made harmless like our own.
"""

from __future__ import annotations

import warnings
from typing import Any

from qwq_gguf.words import clean

__all__ = ["clean_error", "clean_logs"]


def clean_error(error: Exception) -> None:
    """Make the texts harmless that an exception of typer's puts its message together from."""
    for name, value in vars(error).items():
        if isinstance(value, str):
            setattr(error, name, clean(value))
        elif isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
            setattr(error, name, type(value)(map(clean, value)))


def clean_logs() -> None:
    """Make harmless from now on what any library logs, or warns of."""
    import logging

    made, told = logging.getLogRecordFactory(), warnings.formatwarning
    if getattr(made, "clean", False):
        return

    def record(*arguments: Any, **named: Any) -> logging.LogRecord:
        entry = made(*arguments, **named)
        try:
            entry.msg, entry.args = clean(entry.getMessage()), ()
        except (TypeError, ValueError):  # its own fault, which logging reports
            pass
        return entry

    def warning(*arguments: Any, **named: Any) -> str:
        return clean(told(*arguments, **named))

    record.clean = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(record)
    warnings.formatwarning = warning
