"""Between points and their rows."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy.engine import Row

from hulian.data.catalogue.errors import DescriptionError
from hulian.data.catalogue.naming import plant_path
from hulian.data.catalogue.records import ConnectorRecord, PointRecord
from hulian.kernel.identifier import PointName
from hulian.kernel.point import Kind, Point, linear
from hulian.kernel.storage import StorageClass

__all__ = ["chunks", "connector_of", "effective_options", "folded", "point_of", "record_of", "same", "values_of"]

T = TypeVar("T")

_CHUNK: Final = 5000
_LONGEST: Final = {"tag": 200, "unit": 100, "address": 2000, "connector": 80}
_LONGEST_TEXT: Final = 200
_MOST_TEXTS: Final = 1000
_COUNTED: Final = frozenset({StorageClass.DOUBLE, StorageClass.INTEGER, StorageClass.BOOLEAN})
_INTEGER: Final = re.compile(r"-?\d{1,19}", re.ASCII)


def values_of(point: Point) -> dict[str, Any]:
    """The columns of ``point``, but for identity, version and time. Raises `DescriptionError` where it contradicts itself."""
    name = str(PointName.parse(point.name))
    for field, longest in _LONGEST.items():
        if len(getattr(point, field)) > longest:
            raise DescriptionError(f"the {field} is longer than {longest} characters", place=name)
        if "\0" in getattr(point, field):
            raise DescriptionError(f"the {field} holds a zero character", place=name)
    _check_ranges(point, name)
    enumeration = _enumeration(point, name)
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
        "raw_low": point.raw_low,
        "raw_high": point.raw_high,
        "texts": dict(point.texts),
        "enumeration": enumeration,
        "connector": point.connector,
        "address": point.address,
        "writable": point.writable,
        "options": dict(point.options),
        "enabled": point.enabled,
        "search": "\n".join(map(folded, (name, point.tag, path, *point.texts.values(), point.address))),
    }


def _check_ranges(point: Point, name: str) -> None:
    for value in (point.low, point.high, point.raw_low, point.raw_high):
        if value is not None and not math.isfinite(value):
            raise DescriptionError("a limit of the range is not a number", place=name)
    if point.low is not None and point.high is not None and not point.low < point.high:
        raise DescriptionError(f"the range ends ({point.high}) before it begins ({point.low})", place=name)
    if point.raw_low is None and point.raw_high is None:
        return
    if None in (point.raw_low, point.raw_high, point.low, point.high):
        raise DescriptionError("a raw range needs both of its ends, and both of the engineering range", place=name)
    if point.storage is not StorageClass.DOUBLE:
        raise DescriptionError(f"only a double is scaled from a raw range, not a {point.storage}", place=name)
    if given := sorted({"scale", "offset"} & point.options.keys()):
        raise DescriptionError(
            f"the raw range and the option '{given[0]}' both say how a raw number becomes the value", place=name
        )
    if point.raw_low == point.raw_high or not all(map(math.isfinite, point.scaling or ())):
        raise DescriptionError("the raw range leaves nothing to scale by", place=name)


def _enumeration(point: Point, name: str) -> dict[str, dict[str, str]]:
    """The texts of values, by value and language, without empty ones."""
    if len(point.enumeration) > _MOST_TEXTS:
        raise DescriptionError(f"more than {_MOST_TEXTS} values have a text", place=name)
    found: dict[str, dict[str, str]] = {}
    for value, texts in point.enumeration.items():
        if point.storage in _COUNTED and not _INTEGER.fullmatch(value):
            raise DescriptionError(f"a text is given for {value[:40]!r}, which is no integer", place=name)
        if any(len(text) > _LONGEST_TEXT for text in (value, *texts.values())):
            raise DescriptionError(f"the text of a value is longer than {_LONGEST_TEXT} characters", place=name)
        if kept := {language: text for language, text in texts.items() if text}:
            found[value] = kept
    return found


def effective_options(options: Mapping[str, Any], ends: Sequence[float | None]) -> dict[str, Any]:
    """The options that a binding gets: with scale and offset where ``ends`` (raw low, raw high, low, high) give a raw range."""
    raw_low, raw_high, low, high = ends
    scaling = linear(raw_low, raw_high, low, high)
    return {**options, "scale": scaling[0], "offset": scaling[1]} if scaling else dict(options)


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
        raw_low=row.raw_low,
        raw_high=row.raw_high,
        texts=row.texts,
        enumeration=row.enumeration,
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
