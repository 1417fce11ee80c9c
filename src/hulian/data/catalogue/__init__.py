"""What there is: connections, points, things, and the series that feed them.

`dump` writes all of it as TOML, `apply` reads it back; `Catalogue` keeps names and descriptions; values are the historian's.
"""

from __future__ import annotations

from hulian.data.catalogue.copying import copied_points
from hulian.data.catalogue.document import apply, dump
from hulian.data.catalogue.errors import (
    CatalogueError,
    CellError,
    CursorError,
    DescriptionError,
    FaultyListError,
    ListChangedError,
    ListFormatError,
    ListLimitError,
    NothingDescribedError,
    OpenSecretError,
    PatternError,
    SeriesCollisionError,
    SharedAddressError,
    TakenNameError,
    TemplateError,
    UnknownConnectorError,
    UnknownPointError,
    UnknownTemplateError,
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
    "CellError",
    "Change",
    "ConnectorRecord",
    "CursorError",
    "DescriptionError",
    "FaultyListError",
    "ListChangedError",
    "ListFormatError",
    "ListLimitError",
    "NothingDescribedError",
    "OpenSecretError",
    "Page",
    "PatternError",
    "PointRecord",
    "SeriesCollisionError",
    "SeriesSpan",
    "SharedAddressError",
    "TakenNameError",
    "TemplateError",
    "ThingSummary",
    "Tree",
    "UnknownConnectorError",
    "UnknownPointError",
    "UnknownTemplateError",
    "Upserted",
    "VersionError",
    "apply",
    "copied_points",
    "dump",
]
