"""Payloads to samples: one decode a message, then straight to the points that are bound. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from hulian.kernel.quality import Quality
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.protocols.moments import parse_quality, parse_time
from hulian.network.exchange.protocols.mqtt.address import matches
from hulian.network.exchange.protocols.mqtt.config import Mapping as TopicMapping
from hulian.network.exchange.protocols.mqtt.errors import PayloadError, TypeFitError
from hulian.network.exchange.protocols.mqtt.payloads import decoder_of
from hulian.network.exchange.protocols.mqtt.rows import Rows, Target

__all__ = ["Document", "flatten", "get", "mapping_of"]

MISSING: Final = object()
_DEFAULT: Final = TopicMapping(topics="#")
_TIMES: Final = ("timestamp", "ts", "time", "datetime")
_decode: Final = msgspec.json.Decoder().decode
Report = Callable[[type[PayloadError] | type[TypeFitError], str], None]


def mapping_of(mappings: Sequence[TopicMapping], topic: str) -> TopicMapping:
    """The first mapping that takes ``topic``, or the one that suits most devices."""
    return next((mapping for mapping in mappings if matches(mapping.topics, topic)), _DEFAULT)


def get(document: Any, path: tuple[str, ...]) -> Any:
    """What stands at ``path``, or `MISSING`."""
    for key in path:
        if type(document) is dict:
            document = document.get(key, MISSING)
            if document is MISSING:
                return MISSING
        elif type(document) is list and key.isdecimal() and len(key) < 9 and int(key) < len(document):
            document = document[int(key)]
        else:
            return MISSING
    return document


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


class Document:
    """The bound points of one topic and how its payloads are read."""

    __slots__ = (
        "_arrays",
        "_by_name",
        "_decode",
        "_mapping",
        "_name",
        "_quality",
        "_read",
        "_report",
        "_samples",
        "_simple",
        "_step",
        "_time",
        "_value",
        "_zone",
        "targets",
    )

    def __init__(self, mapping: TopicMapping, targets: Sequence[tuple[tuple[str, ...], Target]], report: Report) -> None:
        """``report`` hears what is wrong with a payload."""
        self.targets = list(targets)
        self._mapping = mapping
        self._report = report
        self._samples = _path(mapping.samples)
        self._time = () if mapping.time == "auto" else _path(mapping.time)
        self._quality = _path(mapping.quality)
        self._name = _path(mapping.name)
        self._value = _path(mapping.value)
        self._by_name: dict[str, list[Target]] = {}
        for path, target in self.targets:
            self._by_name.setdefault(".".join(path), []).append(target)
        self._zone = ZoneInfo(mapping.time_zone) if mapping.time_zone else UTC
        self._arrays = mapping.arrays
        self._step = round(mapping.step * 1e9)
        self._read = decoder_of(mapping.format)
        self._decode = _decode if mapping.format == "json" else self._read
        self._simple = not (mapping.samples or mapping.quality or mapping.name)

    def take(self, payload: bytes, received: int, rows: Rows) -> Any:
        """Adds the samples of one payload and returns the document; a wrong payload is reported and adds nothing."""
        try:
            document = self._decode(payload)
        except (*UNREADABLE, PayloadError):
            try:
                document = self._read(payload)
            except PayloadError as error:
                self._report(PayloadError, error.message)
                return MISSING
        if self._simple:
            self._one(document, received, rows, 0)
        else:
            self._several(document, received, rows)
        return document

    def _several(self, document: Any, received: int, rows: Rows) -> None:
        samples = get(document, self._samples) if self._samples else document
        if samples is MISSING:
            self._report(PayloadError, f"there is nothing at '{self._mapping.samples}'")
            return
        if not isinstance(samples, list):
            samples = [samples]
        outer = self._time_of(document, received) if self._samples and isinstance(document, dict) else received
        for sample in samples:
            if self._name:
                self._named(sample, outer, rows, received)
            else:
                self._one(sample, outer, rows, self._quality_of(sample), received)

    def _one(self, sample: Any, fallback: int, rows: Rows, status: int, now: int = 0) -> None:
        if self._arrays == "columns":
            self._columns(sample, fallback, rows, status, now or fallback)
            return
        time = self._time_of(sample, fallback)
        for path, target in self.targets:
            value = sample
            for key in path:
                if type(value) is dict:
                    value = value.get(key, MISSING)
                    if value is MISSING:
                        break
                else:
                    value = get(value, (key,))
                    if value is MISSING:
                        break
            if value is MISSING:
                continue
            if type(value) is list and self._arrays != "whole":
                self._spread(target, value, time, rows, status, now or fallback)
            elif not target.put(rows, time, value, status, now or fallback):
                self._misfit(target, value)

    def _spread(self, target: Target, found: list[Any], time: int, rows: Rows, status: int, now: int) -> None:
        """A list where one value is expected: its last element, or values a step apart of which the last has the time."""
        if self._arrays == "last":
            found = found[-1:]
        first = time - self._step * (len(found) - 1)
        fits = [target.put(rows, first + self._step * place, one, status, now) for place, one in enumerate(found)]
        if not all(fits):
            self._misfit(target, found[fits.index(False)])

    def _columns(self, sample: Any, fallback: int, rows: Rows, status: int, now: int) -> None:
        """Lists of values beside a list of times. A list of another length is reported and left out."""
        moments = get(sample, self._time) if self._time else MISSING
        if not isinstance(moments, list):
            self._report(PayloadError, f"there is no list of times at '{self._mapping.time}'")
            return
        times = [parse_time(one, self._mapping.time_format, self._zone) for one in moments]
        if None in times:
            self._report(PayloadError, f"{_short(moments[times.index(None)])} at '{self._mapping.time}' is no time")
            return
        for path, target in self.targets:
            found = get(sample, path)
            if found is MISSING:
                continue
            if not isinstance(found, list) or len(found) != len(times):
                self._report(PayloadError, f"{target.binding.address} is no list of {len(times)} values")
                continue
            fits = [target.put(rows, time or fallback, one, status, now) for time, one in zip(times, found, strict=True)]
            if not all(fits):
                self._misfit(target, found[fits.index(False)])

    def _named(self, sample: Any, fallback: int, rows: Rows, now: int) -> None:
        name, value = get(sample, self._name), get(sample, self._value)
        if not isinstance(name, str) or value is MISSING:
            self._report(PayloadError, f"a sample without '{self._mapping.name}' or '{self._mapping.value}'")
            return
        targets = self._by_name.get(name)
        if targets:
            time, status = self._time_of(sample, fallback), self._quality_of(sample)
            for target in targets:
                if not target.put(rows, time, value, status, now):
                    self._misfit(target, value)

    def _misfit(self, target: Target, value: Any) -> None:
        self._report(TypeFitError, f"{_short(value)} does not fit {target.binding.address}, which is {target.storage}")

    def _time_of(self, sample: Any, fallback: int) -> int:
        if type(sample) is not dict:
            return fallback
        if self._time:
            value = get(sample, self._time)
            if value is MISSING:
                return fallback
            found = parse_time(value, self._mapping.time_format, self._zone)
            if found is None:
                self._report(PayloadError, f"{_short(value)} at '{self._mapping.time}' is no time")
                return fallback
            return found
        if self._mapping.time == "auto":
            for key in _TIMES:
                if key in sample:
                    found = parse_time(sample[key], self._mapping.time_format, self._zone)
                    # A small number may well be a duration or a counter: only times from 2001 on are believed.
                    if found is not None and found >= 10**18:
                        return found
        return fallback

    def _quality_of(self, sample: Any) -> int:
        if not self._quality:
            return int(Quality.GOOD)
        value = get(sample, self._quality)
        return int(Quality.GOOD) if value is MISSING else parse_quality(value, self._mapping.quality_format)


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number of very many digits"
    return text if len(text) <= 60 else text[:57] + "..."


def flatten(document: Any, mapping: TopicMapping, most: int = 256) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that a point could be bound to, with its path: what browsing shows. Time, quality and names are left out."""
    samples = get(document, _path(mapping.samples)) if mapping.samples else document
    if not isinstance(samples, list) or not (mapping.samples or mapping.name):
        samples = [samples]
    found: dict[tuple[str, ...], Any] = {}
    for sample in samples[:most]:
        if mapping.name:
            name, value = get(sample, _path(mapping.name)), get(sample, _path(mapping.value))
            if isinstance(name, str) and value is not MISSING:
                found[tuple(name.split("."))] = value
        elif sample is not MISSING:
            times = {(key,) for key in _TIMES} if mapping.time == "auto" else {_path(mapping.time)}
            skipped = (times | {_path(mapping.quality), _path(mapping.unit)}) - {()}
            found |= {path: value for path, value in _walk(sample, (), most) if path not in skipped}
        if len(found) >= most:
            break
    yield from list(found.items())[:most]


def _walk(value: Any, path: tuple[str, ...], most: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    stack = [(path, value)]
    count = 0
    while stack and count < most:
        path, value = stack.pop()
        if isinstance(value, Mapping) and value and len(path) < 8:
            stack.extend(((*path, key), value[key]) for key in reversed(list(value)[:most]) if key)
        else:
            count += 1
            yield path, value
