"""What nodes report. Apart, because a configuration names it and should load nothing for that."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Data"]


class Data(StrEnum):
    """What is reported: routes when they change, subjects every hour, counts and master data every day, business every month.

    Sources are a part of the counts, and private fields a part of the master data, that are sent where they are asked for by
    name.
    """

    ROUTES = "routes"
    SUBJECTS = "subjects"
    COUNTS = "counts"
    SOURCES = "sources"
    MASTER = "master"
    PRIVATE = "private"
    BUSINESS = "business"
