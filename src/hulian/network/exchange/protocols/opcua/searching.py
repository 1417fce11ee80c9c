"""Looking for a node by a text, in a server of any size: streamed, and bounded in time and number."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from hulian.network.exchange.protocols.contract import Address, Browsed, Environment
from hulian.network.exchange.protocols.opcua.browse import browse
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration

__all__ = ["search"]


async def search(
    url: str,
    configuration: OpcuaConfiguration,
    environment: Environment,
    text: str,
    *,
    under: Address | None = None,
    limit: int = 100,
    seconds: float = 30.0,
) -> AsyncIterator[Browsed]:
    """The nodes below ``under`` whose name, description or address holds every word of ``text``, as they are found.

    Upper and lower case are the same. Ends after ``limit`` finds or ``seconds``, whichever comes first; raises like
    `browse` where the server cannot be reached.
    """
    words = text.casefold().split()
    deadline = anyio.current_time() + seconds
    found = 0
    nodes = browse(url, configuration, environment, under=under, depth=0)
    try:
        # A scope around a ``yield`` would be entered in one task and left in another: it stands around each step.
        while found < limit:
            node: Browsed | None = None
            with anyio.move_on_at(deadline):
                node = await anext(nodes, None)
            if node is None:
                return
            said = f"{node.name}\n{node.description}\n{node.address}".casefold()
            if all(word in said for word in words):
                found += 1
                yield node
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(3):
            await nodes.aclose()  # type: ignore[attr-defined]
