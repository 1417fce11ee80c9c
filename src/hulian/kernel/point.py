"""A point: one property of a thing, and what an engineer knows of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from hulian.kernel.identifier import PointName
from hulian.kernel.storage import StorageClass

__all__ = ["Kind", "Point"]


class Kind(StrEnum):
    """How a value behaves between two samples; it decides how instants are interpolated and trends are drawn."""

    CONTINUOUS = "continuous"
    STEP = "step"


class Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The description of one point; its values live in the historian under ``series``.

    ``name`` is ``prefix/suffix#property``; ``series`` the 64-bit id of the stream that feeds it today; ``unit`` a UCUM code
    (``bar``, ``Cel``, ``m3/h``), empty where the quantity has none; ``texts`` a description per language tag; ``path``
    the place in the plant (ISA-95: enterprise/site/area/line/cell), parts joined by ``/``; ``options`` the protocol's own
    settings for reading ``address``, as a browse proposed them and a binding receives them.
    """

    name: str
    series: int
    storage: StorageClass = StorageClass.DOUBLE
    kind: Kind = Kind.CONTINUOUS
    tag: str = ""
    path: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    texts: dict[str, str] = {}
    connector: str = ""
    address: str = ""
    writable: bool = False
    options: dict[str, Any] = {}
    enabled: bool = True

    def __post_init__(self) -> None:
        PointName.parse(self.name)

    @property
    def thing(self) -> str:
        """The identifier of the thing that has this property."""
        return self.name.partition("#")[0]
