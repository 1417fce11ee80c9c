"""Server-Sent Events to live values, without a socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.sdk.errors import BrokenAnswerError
from hulian.sdk.records import Sample

__all__ = ["EventReader", "samples_of"]


class _Series(msgspec.Struct, frozen=True):
    time_ms: list[float]
    value: list[Any]
    status: list[int]


class _Samples(msgspec.Struct, frozen=True):
    series: dict[str, _Series]


class EventReader:
    """Bytes in, (event, data) out; a message may come in any number of pieces (WHATWG HTML, section 9.2).

    >>> reader = EventReader()
    >>> list(reader.feed(b"event: a\\ndata: 1")), list(reader.feed(b"\\n\\n: quiet\\n\\n"))
    ([], [('a', b'1')])
    """

    LONGEST = 64 * 2**20

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """The messages that ``chunk`` completes. Raises `BrokenAnswerError` for a message without an end."""
        self._rest += chunk
        if len(self._rest) > self.LONGEST:
            raise BrokenAnswerError("a live message is longer than any should be")
        while (end := self._rest.find(b"\n\n")) >= 0:
            block = bytes(self._rest[:end])
            del self._rest[: end + 2]
            name, data = "message", []
            for line in block.split(b"\n"):
                field, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if field == b"event":
                    name = value.decode("utf-8", "replace")
                elif field == b"data":
                    data.append(value)
            if data:
                yield name, b"\n".join(data)


def samples_of(data: bytes, names: Mapping[str, str]) -> Iterator[Sample]:
    """The values of a ``samples`` event; ``names`` are the points of the series ids."""
    try:
        document = msgspec.json.decode(data, type=_Samples)
    except UNREADABLE as error:
        raise BrokenAnswerError(f"a live message is not what it should be: {error}") from error
    for identity, columns in document.series.items():
        name = names.get(identity, identity)
        for time_ms, value, status in zip(columns.time_ms, columns.value, columns.status, strict=True):
            yield Sample(name, datetime.fromtimestamp(time_ms / 1000, UTC), value, status)
