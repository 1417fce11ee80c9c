"""Structured logs: one JSON object a line in a log file, readable text on a terminal. A healthy system is quiet."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import TextIO, cast

import structlog

__all__ = ["configure_logging"]


class _Stream:
    """A stream whose disk may be full: what cannot be written is left out, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure_logging(component: str) -> None:
    """Sets the form and level (``$HULIAN_LOG``: debug, info, warning, error) of this process's log."""
    level = getattr(logging, os.environ.get("HULIAN_LOG", "info").upper(), logging.INFO)
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(component=component)
    # Libraries speak through the standard module: only what is worth a person's attention.
    logging.basicConfig(level=max(level, logging.WARNING), format="%(name)s: %(message)s", stream=sys.stderr)
    for noisy in ("asyncua", "pymodbus", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(level, logging.ERROR))
