"""Between points and their rows."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy.engine import Row

from hulian.data.catalogue.errors import DescriptionError
from hulian.data.catalogue.naming import plant_path
from hulian.data.catalogue.records import ConnectorRecord, PointRecord
from hulian.kernel.identifier import PointName
from hulian.kernel.point import Kind, Point
from hulian.kernel.storage import StorageClass

__all__ = ["chunks", "connector_of", "folded", "point_of", "record_of", "same", "values_of"]

T = TypeVar("T")

_CHUNK: Final = 5000
_LONGEST: Final = {"tag": 200, "unit": 100, "address": 2000, "connector": 80}


def values_of(point: Point) -> dict[str, Any]:
    """The columns of ``point``, but for identity, version and time. Raises `DescriptionError` where it contradicts itself."""
    name = str(PointName.parse(point.name))
    for field, longest in _LONGEST.items():
        if len(getattr(point, field)) > longest:
            raise DescriptionError(f"the {field} is longer than {longest} characters", place=name)
        if "\0" in getattr(point, field):
            raise DescriptionError(f"the {field} holds a zero character", place=name)
    for value in (point.low, point.high):
        if value is not None and not math.isfinite(value):
            raise DescriptionError("a limit of the range is not a number", place=name)
    if point.low is not None and point.high is not None and not point.low < point.high:
        raise DescriptionError(f"the range ends ({point.high}) before it begins ({point.low})", place=name)
    path = plant_path(point.path)
    return {
        "name": name,
        "thing": name.partition("#")[0],
        "series": point.series,
        "storage": point.storage.value,
        "kind": point.kind.value,
        "tag": point.tag,
        "path": path,
        "unit": point.unit,
        "low": point.low,
        "high": point.high,
        "texts": dict(point.texts),
        "connector": point.connector,
        "address": point.address,
        "writable": point.writable,
        "options": dict(point.options),
        "enabled": point.enabled,
        "search": "\n".join(map(folded, (name, point.tag, path, *point.texts.values(), point.address))),
    }


def same(row: Row[Any], values: dict[str, Any]) -> bool:
    """Whether the row already says what ``values`` say."""
    return all(getattr(row, key) == value for key, value in values.items())


def point_of(row: Row[Any]) -> Point:
    """The point of a row."""
    return Point(
        name=row.name,
        series=row.series,
        storage=StorageClass(row.storage),
        kind=Kind(row.kind),
        tag=row.tag,
        path=row.path,
        unit=row.unit,
        low=row.low,
        high=row.high,
        texts=row.texts,
        connector=row.connector,
        address=row.address,
        writable=row.writable,
        options=row.options,
        enabled=row.enabled,
    )


def record_of(row: Row[Any]) -> PointRecord:
    """The point of a row with its version."""
    return PointRecord(point=point_of(row), version=row.version, changed=row.changed)


def connector_of(row: Row[Any]) -> ConnectorRecord:
    """The connector of a row."""
    return ConnectorRecord(
        name=row.name,
        protocol=row.protocol,
        url=row.url,
        settings=row.settings,
        credentials=row.credentials,
        enabled=row.enabled,
        edge=row.edge,
        version=row.version,
        created=row.created,
        changed=row.changed,
    )


def folded(text: str) -> str:
    """``text`` as it is searched: without regard to case, and to how a keyboard composes a character."""
    return unicodedata.normalize("NFKC", text).casefold().replace("\0", " ")


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """``items`` in parts that one statement can carry."""
    for begin in range(0, len(items), _CHUNK):
        yield items[begin : begin + _CHUNK]
