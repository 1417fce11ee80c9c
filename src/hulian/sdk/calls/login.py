"""Who asks, and how the platform is."""

from __future__ import annotations

from hulian.sdk import records
from hulian.sdk.flow import Flow, Request, read

__all__ = [
    "change_password",
    "health",
    "session",
]


def session() -> Flow[records.Session]:
    """Who is logged in."""
    return read((yield Request("GET", "/session")), records.Session)


def change_password(old: str, new: str) -> Flow[records.Session]:
    """Changes the own password; other sessions of the user end."""
    return read((yield Request("POST", "/session/password", body={"old": old, "new": new})), records.Session)


def health() -> Flow[records.Health]:
    """How the platform is."""
    return read((yield Request("GET", "/health")), records.Health)
