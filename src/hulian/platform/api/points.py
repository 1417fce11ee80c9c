"""Points by whatever a caller calls them, remembered between requests until the catalogue changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hulian.data.catalogue import Catalogue
from hulian.kernel.errors import IdentifierError
from hulian.kernel.identifier import unescape
from hulian.kernel.point import Point
from hulian.kernel.storage import StorageClass
from hulian.platform.api.access import in_thread
from hulian.platform.api.errors import NotFoundError, RequestError

__all__ = ["PointIndex", "Track", "point_name", "split_points"]


class Track(NamedTuple):
    """One series behind a point: today's, or one that fed it before its device or value type changed."""

    point: Point
    series: int
    storage: StorageClass


def split_points(values: Iterable[str]) -> list[str]:
    """The points of a query string: repeated parameters, or one with commas; a comma within a name is escaped (``~2C``)."""
    return [part for value in values for part in value.split(",") if part]


def point_name(text: str) -> str:
    """A point's name from its plain or its escaped form. Raises `RequestError`."""
    if "#" in text:
        return text
    try:
        return unescape(text)
    except IdentifierError as error:
        raise RequestError(f"{text[:120]!r} is not a point", hint="give a name, its escaped form, or a series id") from error


class PointIndex:
    """Names and series ids to points. The catalogue is asked once for each, until it changes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._names: dict[str, Point] = {}
        self._series: dict[int, Point] = {}
        self._tracks: dict[str, list[Track]] = {}
        catalogue.on_change(self._forget)

    def _forget(self, _: Any) -> None:
        # Comes in the writer's thread; a reader that holds the old dictionaries fills what nobody reads again.
        self._names, self._series, self._tracks = {}, {}, {}

    async def resolve(self, wanted: Sequence[str], *, most: int, place: str = "points") -> list[Point]:
        """The points in the order asked for, each once. Raises `NotFoundError` naming the first unknown one."""
        if not wanted:
            raise RequestError("no point is named", place=place)
        if len(wanted) > most:
            raise RequestError(f"{len(wanted)} points are more than {most} at a time", place=place)
        numbers = {text: int(text) for text in wanted if re.fullmatch(r"\d{1,20}", text)}
        names = {text: point_name(text) for text in wanted if text not in numbers}
        by_name = await self.named(names.values())
        by_series = await self.of_series(numbers.values())
        found: dict[str, Point] = {}
        for text in wanted:
            point = by_series.get(numbers[text]) if text in numbers else by_name.get(names[text])
            if point is None:
                raise NotFoundError(
                    f"there is no point {names.get(text, text)[:200]!r}",
                    place=place,
                    hint="search with GET /api/v1/points?search=",
                )
            found.setdefault(point.name, point)
        return list(found.values())

    async def tracks(self, points: Sequence[Point]) -> list[Track]:
        """Every series that ever fed the points, oldest first within a point, in the order of the points."""
        known = self._tracks
        missing = [point.name for point in points if point.name not in known]
        if missing:
            spans = await in_thread(lambda: self._catalogue.spans(missing, 0, 2**63 - 1))
            for point in points:
                if point.name in spans:
                    found = {span.series: Track(point, span.series, span.storage) for span in spans[point.name]}
                    known[point.name] = list(found.values())
        return [track for point in points for track in known.get(point.name) or [Track(point, point.series, point.storage)]]

    async def named(self, names: Iterable[str]) -> dict[str, Point]:
        """The points of ``names`` that exist."""
        known = self._names
        wanted = set(names)
        missing = [name for name in wanted if name not in known]
        if missing:
            known.update(await in_thread(lambda: self._catalogue.points_named(missing)))
        return {name: known[name] for name in wanted if name in known}

    async def of_series(self, series: Iterable[int]) -> dict[int, Point]:
        """The points fed by ``series``, those that exist."""
        known = self._series
        wanted = set(series)
        missing = [identity for identity in wanted if identity not in known]
        if missing:
            known.update(await in_thread(lambda: self._catalogue.points_of_series(missing)))
        return {identity: known[identity] for identity in wanted if identity in known}
