"""Modbus as the house knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from hulian.network.exchange.protocols.contract import Address, Binding, Browsed, Environment
from hulian.network.exchange.protocols.modbus.browse import browse_device
from hulian.network.exchange.protocols.modbus.config import BindingOptions, ModbusConfiguration
from hulian.network.exchange.protocols.modbus.connector import ModbusConnector
from hulian.network.exchange.protocols.modbus.target import SCHEMES, parse_url

__all__ = ["ModbusProtocol"]


class ModbusProtocol:
    """Stateless; see `hulian.network.exchange.protocols.contract.Protocol`."""

    name = "modbus"
    schemes = tuple(SCHEMES)
    configuration = ModbusConfiguration
    options = BindingOptions

    def connector(self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment) -> ModbusConnector:
        """Raises `AddressError` for a URL that is none of a Modbus device."""
        return ModbusConnector(parse_url(url), configuration or ModbusConfiguration(), bindings, environment)

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """The register map where one is configured, otherwise what probing finds; raises `ReachError`, `MapError` …."""
        return browse_device(parse_url(url), configuration or ModbusConfiguration(), under=under, depth=depth)
