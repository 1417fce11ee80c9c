"""The whole configuration of a node: one table a component."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from hulian.data.historian.configuration import HistorianConfiguration
from hulian.data.ingest.configuration import IngestConfiguration
from hulian.network.exchange.spine.configuration import SpineConfiguration
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration
from hulian.platform.api.configuration import ApiConfiguration
from hulian.platform.edge.config import EdgeConfiguration

__all__ = ["AuditConfiguration", "Configuration", "Durability", "NodeConfiguration"]


class Durability(StrEnum):
    """What acknowledged data survive."""

    PROCESS = "process"
    POWER = "power"


class NodeConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for the whole node."""

    organisation: Annotated[
        str,
        Meta(min_length=1, max_length=64, description="short name of the organisation, part of every series id: choose once"),
    ] = "plant"
    prefix: Annotated[
        str, Meta(pattern=r"^[^\s/#]+$", description="identifier prefix of new things; 99. is private, for unregistered plants")
    ] = "99.118.8"
    data: Annotated[str, Meta(min_length=1, description="directory of everything that this node keeps")] = "hulian-data"
    durability: Annotated[
        Durability,
        Meta(description="what acknowledged data survive: process (kill -9) or power (a power cut, at the price of speed)"),
    ] = Durability.PROCESS
    database: Annotated[
        str, Meta(description="registry database: empty for SQLite in the data directory, or postgresql://user@host/name")
    ] = ""


class AuditConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the audit trail is kept; what goes, goes once a day and leaves a record of its own."""

    days: Annotated[float, Meta(ge=0, le=36_500, description="days that a record of the audit trail stays; 0: for ever")] = (
        1096.0
    )
    records: Annotated[
        int, Meta(ge=0, description="most records of the audit trail, the oldest go first; 0: without a bound")
    ] = 2_000_000


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``hulian.toml``."""

    node: NodeConfiguration = NodeConfiguration()
    api: ApiConfiguration = ApiConfiguration()
    edge: EdgeConfiguration = EdgeConfiguration()
    spine: SpineConfiguration = SpineConfiguration()
    ingest: IngestConfiguration = IngestConfiguration()
    historian: HistorianConfiguration = HistorianConfiguration()
    audit: AuditConfiguration = AuditConfiguration()
    identifiers: IdentifiersConfiguration = IdentifiersConfiguration()
