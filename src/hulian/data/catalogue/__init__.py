"""What there is: connections, points, things, and the series that feed them.

`dump` writes all of it as TOML, `apply` reads it back; `Catalogue` keeps names and descriptions; values are the historian's.
"""

from __future__ import annotations

from hulian.data.catalogue.document import apply, dump
from hulian.data.catalogue.errors import (
    CatalogueError,
    CursorError,
    DescriptionError,
    OpenSecretError,
    SeriesCollisionError,
    SharedAddressError,
    TakenNameError,
    UnknownConnectorError,
    UnknownPointError,
    VersionError,
)
from hulian.data.catalogue.records import (
    Applied,
    Branch,
    Change,
    ConnectorRecord,
    Page,
    PointRecord,
    SeriesSpan,
    ThingSummary,
    Tree,
    Upserted,
)
from hulian.data.catalogue.store import Catalogue

__all__ = [
    "Applied",
    "Branch",
    "Catalogue",
    "CatalogueError",
    "Change",
    "ConnectorRecord",
    "CursorError",
    "DescriptionError",
    "OpenSecretError",
    "Page",
    "PointRecord",
    "SeriesCollisionError",
    "SeriesSpan",
    "SharedAddressError",
    "TakenNameError",
    "ThingSummary",
    "Tree",
    "UnknownConnectorError",
    "UnknownPointError",
    "Upserted",
    "VersionError",
    "apply",
    "dump",
]
