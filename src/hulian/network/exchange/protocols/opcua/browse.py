"""What a server shows: its tree of objects and variables, with what an engineer would otherwise type."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from hulian.network.exchange.protocols.contract import Address, Browsed, Environment
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration


async def browse(
    url: str, configuration: OpcuaConfiguration, environment: Environment, *, under: Address | None = None, depth: int = 1
) -> AsyncIterator[Browsed]:
    raise NotImplementedError
    yield
