"""A question in SPARQL and its answer, as they go between this process and the one that answers."""

from __future__ import annotations

import msgspec

__all__ = ["Reply", "Task"]


class Task(msgspec.Struct):
    """A question, the prefixes that it may use, and how many rows are wanted."""

    text: str
    prefixes: dict[str, str]
    rows: int


class Reply(msgspec.Struct, omit_defaults=True):
    """Names and rows of a ``SELECT``, three columns of a ``CONSTRUCT``, one of an ``ASK``; or why there is none."""

    names: list[str] = []
    rows: list[list[str | None]] = []
    more: bool = False
    error: str = ""
