"""Looking for what a device shows by a text, in a device of any size: bounded in time and number."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from hulian.network.exchange.protocols.contract import Browsed

__all__ = ["search"]


async def search(nodes: AsyncIterator[Browsed], text: str, *, limit: int, seconds: float) -> tuple[list[Browsed], bool]:
    """Those of ``nodes`` whose name, description or address holds every word of ``text``, and whether these are all.

    ``nodes`` is a `Protocol.browse` of every level. Upper and lower case are the same. Ends after ``limit`` finds or
    ``seconds``, whichever comes first; raises what the browsing raises.
    """
    words = text.casefold().split()
    found: list[Browsed] = []
    try:
        with anyio.move_on_after(seconds):
            async for node in nodes:
                said = f"{node.name}\n{node.description}\n{node.address}".casefold()
                if not all(word in said for word in words):
                    continue
                if len(found) >= limit:
                    return found, False
                found.append(node)
            return found, True
        return found, False
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(3):
            await nodes.aclose()  # type: ignore[attr-defined]
