"""JSON bodies and CloudEvents to samples. No socket, no clock.

CloudEvents 1.0.2: binary and structured content mode and batches (HTTP protocol binding, sections 3.1 to 3.3; JSON event
format).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from hulian.kernel.quality import Quality
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.protocols.http.config import JsonMapping
from hulian.network.exchange.protocols.http.errors import BodyError
from hulian.network.exchange.protocols.moments import parse_quality, parse_time

__all__ = ["CloudEvent", "Sample", "events_of", "read_json", "samples_of", "walk"]

_TIMES: Final = ("timestamp", "ts", "time", "datetime")
_BELIEVED: Final = 10**18
_MISSING: Final = object()
_REQUIRED: Final = ("id", "source", "type", "specversion")

Sample = tuple[tuple[str, ...], int, Any, int]
"""Path, time (UTC ns), value, status."""


class CloudEvent(msgspec.Struct, frozen=True):
    """An event: where it is from, what it is, its own time (UTC ns, 0 where it has none) and its data as JSON gives them."""

    source: str
    type: str
    id: str
    time: int
    data: Any


def read_json(body: bytes) -> Any:
    """Raises `BodyError`."""
    try:
        return msgspec.json.decode(body)
    except UNREADABLE as error:
        raise BodyError(f"not JSON: {error}") from error


def events_of(body: bytes, content_type: str, headers: Mapping[str, str]) -> list[CloudEvent]:
    """The events of a request; ``headers`` by lower-case name. Raises `BodyError`."""
    if content_type == "application/cloudevents-batch+json":
        batch = read_json(body)
        if not isinstance(batch, list):
            raise BodyError("a batch of CloudEvents is a list")
        return [_event(one) for one in batch]
    if content_type == "application/cloudevents+json":
        return [_event(read_json(body))]
    attributes: dict[str, Any] = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    json = content_type in ("", "application/json") or content_type.endswith("+json")
    attributes["data"] = (read_json(body) if body else None) if json else body.decode("utf-8", "replace")
    return [_event(attributes)]


def _event(found: Any) -> CloudEvent:
    if not isinstance(found, dict):
        raise BodyError("a CloudEvent is an object")
    lacking = [name for name in _REQUIRED if not isinstance(found.get(name), str) or not found[name]]
    if lacking:
        raise BodyError(f"a CloudEvent without {', '.join(lacking)}")
    if not found["specversion"].startswith("1."):
        raise BodyError(f"CloudEvents {found['specversion'][:10]!r} is another version than 1.0")
    time = 0
    if found.get("time") is not None:
        time = parse_time(found["time"], "iso") or 0
        if not time:
            raise BodyError("the time of a CloudEvent is an RFC 3339 time")
    data = found.get("data")
    if data is None and isinstance(found.get("data_base64"), str):
        try:
            raw = base64.b64decode(found["data_base64"], validate=True)
        except binascii.Error as error:
            raise BodyError("'data_base64' is not base64") from error
        kind = str(found.get("datacontenttype") or "")
        data = read_json(raw) if kind in ("", "application/json") or kind.endswith("+json") else raw.decode("utf-8", "replace")
    return CloudEvent(found["source"], found["type"], found["id"], time, data)


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


def _get(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if isinstance(document, dict):
            document = document.get(key, _MISSING)
        elif isinstance(document, list) and key.isdecimal() and len(key) < 9 and int(key) < len(document):
            document = document[int(key)]
        else:
            return _MISSING
    return document


def samples_of(
    document: Any,
    mapping: JsonMapping,
    received: int,
    wanted: Callable[[], Iterator[tuple[str, ...]]],
    wrong: Callable[[str], None],
) -> Iterator[Sample]:
    """The samples of one document at the paths of ``wanted`` (those of all points), read as ``mapping`` says."""
    rows = _get(document, _path(mapping.samples)) if mapping.samples else document
    if rows is _MISSING:
        raise BodyError(f"there is nothing at {mapping.samples!r}")
    if not isinstance(rows, list):
        rows = [rows]
    outer = _time(document, mapping, received, wrong) if mapping.samples else received
    name_at, value_at, quality_at = _path(mapping.name), _path(mapping.value), _path(mapping.quality)
    paths = [] if mapping.name else list(wanted())
    for row in rows:
        time = _time(row, mapping, outer, wrong)
        status = int(Quality.GOOD)
        if quality_at and (quality := _get(row, quality_at)) is not _MISSING:
            status = parse_quality(quality, mapping.quality_format)
        if name_at:
            name, value = _get(row, name_at), _get(row, value_at)
            if not isinstance(name, str) or value is _MISSING:
                wrong(f"a sample without {mapping.name!r} or {mapping.value!r}")
                continue
            yield _path(name), time, value, status
        else:
            for path in paths:
                if (value := _get(row, path)) is not _MISSING:
                    yield path, time, value, status


def _time(row: Any, mapping: JsonMapping, fallback: int, wrong: Callable[[str], None]) -> int:
    if not isinstance(row, dict) or not mapping.time:
        return fallback
    if mapping.time != "auto":
        value = _get(row, _path(mapping.time))
        if value is _MISSING:
            return fallback
        found = parse_time(value, mapping.time_format)
        if found is None:
            wrong(f"{str(value)[:40]!r} at {mapping.time!r} is no time")
        return fallback if found is None else found
    for key in _TIMES:
        if key in row:
            found = parse_time(row[key], mapping.time_format)
            # A small number may well be a duration: only times from 2001 on are believed.
            if found is not None and found >= _BELIEVED:
                return found
    return fallback


def walk(document: Any, mapping: JsonMapping, most: int = 256) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that a point could be bound to, with its path: what browsing shows."""
    rows = _get(document, _path(mapping.samples)) if mapping.samples else document
    for row in (rows if isinstance(rows, list) else [rows])[:most]:
        if mapping.name:
            name, value = _get(row, _path(mapping.name)), _get(row, _path(mapping.value))
            if isinstance(name, str) and value is not _MISSING:
                yield _path(name), value
            continue
        skipped = {_path(mapping.quality)} | ({(key,) for key in _TIMES} if mapping.time == "auto" else {_path(mapping.time)})
        stack: list[tuple[tuple[str, ...], Any]] = [((), row)]
        count = 0
        while stack and count < most:
            path, value = stack.pop()
            if isinstance(value, dict) and len(path) < 8:
                stack += [
                    ((*path, key), inner) for key, inner in reversed(list(value.items())[:most]) if key and "." not in key
                ]
            elif path and path not in skipped:
                count += 1
                yield path, value
