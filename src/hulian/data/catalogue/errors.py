"""Why the catalogue says no.

CatalogueError                  HL-CATALOGUE-0000
├── UnknownPointError           HL-CATALOGUE-0001
├── UnknownConnectorError       HL-CATALOGUE-0002
├── TakenNameError              HL-CATALOGUE-0003   a point or connector of this name exists
├── SeriesCollisionError        HL-CATALOGUE-0004   two places share a 64-bit id: refused before the first write
├── SharedAddressError          HL-CATALOGUE-0005   two points would read the same address
├── VersionError                HL-CATALOGUE-0006   somebody else changed it meanwhile
├── DescriptionError            HL-CATALOGUE-0007   a description that contradicts itself
├── OpenSecretError             HL-CATALOGUE-0008   a secret where a reference belongs
└── CursorError                 HL-CATALOGUE-0009   a page that does not exist
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "CatalogueError",
    "CursorError",
    "DescriptionError",
    "OpenSecretError",
    "SeriesCollisionError",
    "SharedAddressError",
    "TakenNameError",
    "UnknownConnectorError",
    "UnknownPointError",
    "VersionError",
]


class CatalogueError(HulianError):
    """The root of this room."""

    code = "HL-CATALOGUE-0000"


class UnknownPointError(CatalogueError):
    """There is no point of this name."""

    code = "HL-CATALOGUE-0001"
    default_hint = "search for it: 'hulian points TEXT'"


class UnknownConnectorError(CatalogueError):
    """There is no connector of this name."""

    code = "HL-CATALOGUE-0002"
    default_hint = "list them: 'hulian connectors'"


class TakenNameError(CatalogueError):
    """There is already one of this name."""

    code = "HL-CATALOGUE-0003"
    default_hint = "choose another name"


class SeriesCollisionError(CatalogueError):
    """Two different places have the same 64-bit series id. Nothing was written to either."""

    code = "HL-CATALOGUE-0004"
    default_hint = "give the connector another name: its series get other ids"


class SharedAddressError(CatalogueError):
    """Two points would be fed by one address: every sample would be read and stored twice."""

    code = "HL-CATALOGUE-0005"
    default_hint = "rename the point that is there, or remove one of the two"


class VersionError(CatalogueError):
    """What is to be changed is no longer what was read."""

    code = "HL-CATALOGUE-0006"
    default_hint = "read it again and repeat the change"


class DescriptionError(CatalogueError):
    """A description that contradicts itself or cannot be kept."""

    code = "HL-CATALOGUE-0007"


class OpenSecretError(CatalogueError):
    """A secret stands where a reference to one belongs. The message does not hold it."""

    code = "HL-CATALOGUE-0008"
    default_hint = "keep it with 'hulian secret set NAME' and write 'secret:NAME'; or 'env:NAME', or 'file:PATH'"


class CursorError(CatalogueError):
    """A cursor that no page of this catalogue gave."""

    code = "HL-CATALOGUE-0009"
    default_hint = "begin with the first page, without a cursor"
