"""A point: one property of a thing, and what an engineer knows of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from hulian.kernel.identifier import PointName
from hulian.kernel.storage import StorageClass

__all__ = ["Kind", "Point", "linear"]


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

    ``low`` and ``high`` are the engineering range, in ``unit``. Where ``raw_low`` and ``raw_high`` say which raw numbers of the
    device stand for its ends, the value is linear between (and beyond) them: `scaling`. ``enumeration`` says in words what a
    value means: ``{"0": {"en": "closed", "zh": "关"}}``; its keys are integers in decimal, 0 and 1 for a boolean, or the text.
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
    raw_low: float | None = None
    raw_high: float | None = None
    texts: dict[str, str] = {}
    enumeration: dict[str, dict[str, str]] = {}
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

    @property
    def scaling(self) -> tuple[float, float] | None:
        """Scale and offset of ``value = raw x scale + offset``; None where no raw range is given."""
        return linear(self.raw_low, self.raw_high, self.low, self.high)


def linear(raw_low: float | None, raw_high: float | None, low: float | None, high: float | None) -> tuple[float, float] | None:
    """Scale and offset that bring ``raw_low`` to ``low`` and ``raw_high`` to ``high``; None where an end is missing.

    >>> linear(4.0, 20.0, 0.0, 100.0)
    (6.25, -25.0)
    """
    if raw_low is None or raw_high is None or low is None or high is None:
        return None
    scale = (high - low) / (raw_high - raw_low)
    return scale, low - raw_low * scale
