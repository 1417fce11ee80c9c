"""OPC UA (IEC 62541): a client that browses, subscribes, polls and writes; see README.md in this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from hulian.network.exchange.protocols.contract import Address, Binding, Browsed, Connector, Environment
from hulian.network.exchange.protocols.opcua.config import BindingOptions, OpcuaConfiguration

__all__ = ["OpcuaProtocol", "protocol"]


class OpcuaProtocol:
    """OPC UA over TCP, as the house knows a protocol. asyncua is imported only when something is connected."""

    name: str = "opcua"
    schemes: tuple[str, ...] = ("opc.tcp",)
    configuration: type[OpcuaConfiguration] = OpcuaConfiguration
    options: type[BindingOptions] = BindingOptions

    def connector(self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment) -> Connector:
        from hulian.network.exchange.protocols.opcua.connector import OpcuaConnector

        return OpcuaConnector(url, configuration, bindings, environment)

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        from hulian.network.exchange.protocols.opcua.browse import browse

        return browse(url, configuration, environment, under=under, depth=depth)


protocol: Final = OpcuaProtocol()
