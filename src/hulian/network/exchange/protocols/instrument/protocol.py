"""Described instruments as the house knows them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from hulian.network.exchange.protocols.confinement import DIRECTORIES, Confinement
from hulian.network.exchange.protocols.contract import Address, Binding, Browsed, Environment
from hulian.network.exchange.protocols.instrument.browse import browse_instrument
from hulian.network.exchange.protocols.instrument.config import BindingOptions, InstrumentConfiguration
from hulian.network.exchange.protocols.instrument.connector import InstrumentConnector
from hulian.network.exchange.protocols.instrument.description import LARGEST, Instrument, read_description
from hulian.network.exchange.protocols.instrument.errors import DescriptionError, DirectoryError, OptionError
from hulian.network.exchange.protocols.instrument.target import SCHEMES, parse_url

__all__ = ["InstrumentProtocol"]


class InstrumentProtocol:
    """Stateless; see `hulian.network.exchange.protocols.contract.Protocol`."""

    name = "instrument"
    schemes = SCHEMES
    configuration = InstrumentConfiguration
    options = BindingOptions

    def connector(
        self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment
    ) -> InstrumentConnector:
        """Raises `AddressError`, `OptionError`, and `DescriptionError` for a description that cannot be driven."""
        place = parse_url(url)
        configuration = configuration or InstrumentConfiguration()
        return InstrumentConnector(place, _described(configuration, environment), configuration, bindings, environment)

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """Messages and bundles, and below them fields with types, units and ranges."""
        place = parse_url(url)
        configuration = configuration or InstrumentConfiguration()
        return browse_instrument(place, _described(configuration, environment), configuration, under=under, depth=depth)


def _described(configuration: InstrumentConfiguration, environment: Environment) -> Instrument:
    """The description that the settings name, one way or the other."""
    if bool(configuration.description) == bool(configuration.description_file):
        raise OptionError("the settings need either 'description' or 'description_file'", place="settings")
    if configuration.description:
        return read_description(configuration.description.encode(), configuration.port)
    path = Path(configuration.description_file)
    confinement = Confinement(
        environment.extras.get(DIRECTORIES, ()), absent=DescriptionError, outside=DirectoryError, unusable=DescriptionError
    )
    confinement.check(path)
    with os.fdopen(confinement.open(path), "rb") as opened:
        content = opened.read(LARGEST + 1)
    return read_description(content, configuration.port, path.name)
