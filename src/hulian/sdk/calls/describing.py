"""Points, one by one."""

from __future__ import annotations

from typing import Any

import msgspec

from hulian.kernel.identifier import escape
from hulian.sdk import records
from hulian.sdk.calls.asking import Items, given
from hulian.sdk.flow import Flow, Request, read

__all__ = [
    "change_point",
    "point",
    "points",
    "tree",
]


def points(
    search: str = "",
    *,
    connector: str | None = None,
    thing: str | None = None,
    path: str | None = None,
    limit: int | None = None,
    last: bool = False,
) -> Flow[list[records.PointInfo]]:
    """The points that match, by name; all of them where no limit is given. ``last`` adds the newest sample of each."""
    found: list[records.PointInfo] = []
    cursor: str | None = None
    while True:
        size = 1000 if limit is None else min(1000, limit - len(found))
        query = given(search=search or None, connector=connector, thing=thing, path=path, cursor=cursor)
        reply = yield Request("GET", "/points", query={**query, "limit": size, "last": str(last).lower()})
        page = read(reply, Items)
        found += [msgspec.json.decode(item, type=records.PointInfo) for item in page.items]
        cursor = page.next if isinstance(page.next, str) else None
        if cursor is None or (limit is not None and len(found) >= limit):
            return found


def point(name: str) -> Flow[records.PointInfo]:
    """One point, with its newest sample."""
    return read((yield Request("GET", f"/points/{escape(name)}")), records.PointInfo)


def change_point(name: str, **changes: Any) -> Flow[records.PointInfo]:
    """Changes tag, path, unit, kind, low, high, texts, enabled, or the name of a point."""
    return read((yield Request("PATCH", f"/points/{escape(name)}", body=changes)), records.PointInfo)


def tree(under: str = "") -> Flow[records.Tree]:
    """What is directly below a place of the plant."""
    return read((yield Request("GET", "/tree", query=given(under=under or None))), records.Tree)
