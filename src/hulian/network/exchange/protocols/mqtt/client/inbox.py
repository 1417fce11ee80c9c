"""What a broker sent us with QoS 1 or 2 and may send again: so that each such message reaches the journal once.

A table with one line for each packet identifier says under which position its message was handed over, and which message it
was. It is written before the position is committed to the edge's journal; where a directory is given it is a mapped file, so
that it outlives ``kill -9`` of this process. After a restart the lines whose position the journal never committed are void.

A repeated message is recognised

* in QoS 2 by its identifier alone, until the broker's PUBREL releases it (MQTT 5.0, section 4.3.3);
* in QoS 1 by the DUP flag, its identifier and its content. A line is cleared as soon as an answer of the broker proves that
  our PUBACK arrived (a PINGRESP to a PINGREQ sent later), so that it cannot be mistaken for a later message that happens to
  have the same identifier and the same content.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import structlog

from hulian.network.exchange.protocols.mqtt.codec import Publishes

__all__ = ["Inbox", "Taken"]

_log = structlog.get_logger("hulian.mqtt.inbox")
_LINE: Final = np.dtype([("position", "<i8"), ("mark", "<u4"), ("qos", "<u4")])
_LINES: Final = 65_536
_SCHEMA: Final = 1
_MOST_TOPICS: Final = 65_536


class _Owner(msgspec.Struct):
    """Whose session the table is, and what that session is subscribed to."""

    schema: int
    peer: str
    filters: list[str]


class Taken(msgspec.Struct, frozen=True):
    """``kept`` are the places of new messages; ``acknowledged`` and ``received`` the identifiers of repeated ones, of QoS 1 and
    of QoS 2, that may be answered at once."""

    kept: list[int]
    acknowledged: list[int]
    received: list[int]


class Inbox:
    """The table of one session: of ``peer`` (URL and client identifier), kept in ``directory`` where one is given."""

    def __init__(self, peer: str, directory: Path | None = None) -> None:
        self.filters: list[str] = []
        """What the broker's session is known to be subscribed to."""
        self.duplicates = 0
        """Repeated messages that were left out."""
        self._peer = peer
        self._directory = directory
        self._topic_marks: dict[str, int] = {}
        self._unconfirmed: list[tuple[list[int], int]] = []
        self._confirming: list[tuple[list[int], int]] = []
        self._lines = self._open()

    def _open(self) -> npt.NDArray[Any]:
        directory = self._directory
        if directory is None:
            return np.zeros(_LINES, _LINE)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            table = directory / "session.table"
            known = self._owner(directory)
            if known is None or not table.exists() or table.stat().st_size != _LINES * _LINE.itemsize:
                table.write_bytes(bytes(_LINES * _LINE.itemsize))
                self._write_owner()
            else:
                self.filters = known.filters
            return np.memmap(table, _LINE, "r+", shape=(_LINES,))
        except OSError as error:
            # Without the file a crash of this process may double messages; everything else works.
            _log.warning("the MQTT session cannot be kept on disk", directory=str(directory), reason=str(error))
            self._directory = None
            return np.zeros(_LINES, _LINE)

    def _owner(self, directory: Path) -> _Owner | None:
        try:
            found = msgspec.json.decode((directory / "session.json").read_bytes(), type=_Owner)
        except (OSError, msgspec.DecodeError):
            return None
        return found if found.schema == _SCHEMA and found.peer == self._peer else None

    def _write_owner(self) -> None:
        if self._directory is None:
            return
        place = self._directory / "session.json"
        try:
            new = place.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(_Owner(_SCHEMA, self._peer, self.filters)))
            new.replace(place)
        except OSError as error:
            _log.warning("the MQTT session cannot be kept on disk", directory=str(self._directory), reason=str(error))

    def subscribed(self, filters: list[str]) -> None:
        """The broker's session now has exactly these filters."""
        if filters != self.filters:
            self.filters = list(filters)
            self._write_owner()

    def void_after(self, position: int) -> None:
        """What was handed over behind ``position`` never reached the journal: it is new when it comes again."""
        late = self._lines["position"] > position
        if late.any():
            self._lines[late] = 0

    def forget(self) -> None:
        """The broker has no session of ours any more: nothing of it can come again."""
        self._lines[:] = 0
        self.subscribed([])
        self.disconnected()

    def disconnected(self) -> None:
        """What was not confirmed on the lost connection may come again: its lines stay."""
        self._unconfirmed.clear()
        self._confirming.clear()

    def take(self, run: Publishes, position: int, committed: int) -> Taken:
        """Looks at a run of messages; the first new one gets ``position + 1``. The journal has what is up to ``committed``."""
        flags, identifiers = run.flags, run.identifiers
        marks = list(map(self._mark, run.topics, run.payloads))
        if max(flags) < 4:
            taken = Taken(list(range(len(flags))), [], [])
        else:
            taken = self._sort(flags, identifiers, marks, committed)
        new = [(order, place) for order, place in enumerate(taken.kept, position + 1) if flags[place] & 6]
        if new:
            block = np.empty(len(new), _LINE)
            block["position"] = [order for order, _ in new]
            block["mark"] = [marks[place] for _, place in new]
            block["qos"] = [flags[place] >> 1 & 3 for _, place in new]
            self._lines[[identifiers[place] for _, place in new]] = block
        return taken

    def _sort(self, flags: list[int], identifiers: list[int], marks: list[int], committed: int) -> Taken:
        """New messages from repeated ones. One that is not in the journal yet is answered when it is, not now."""
        taken = Taken([], [], [])
        fresh: set[int] = set()
        for place, flag in enumerate(flags):
            if flag & 12 and flag & 6:
                identifier = identifiers[place]
                line = self._lines[identifier]
                exact = flag & 4
                same = identifier in fresh or line["qos"] == 2 if exact else line["qos"] == 1 and line["mark"] == marks[place]
                if same:
                    self.duplicates += 1
                    if line["position"] <= committed:
                        (taken.received if exact else taken.acknowledged).append(identifier)
                    continue
                if exact:
                    fresh.add(identifier)
            taken.kept.append(place)
        return taken

    def _mark(self, topic: str, payload: memoryview) -> int:
        start = self._topic_marks.get(topic)
        if start is None:
            if len(self._topic_marks) >= _MOST_TOPICS:
                self._topic_marks.clear()
            start = self._topic_marks[topic] = zlib.crc32(topic.encode())
        return zlib.crc32(payload, start)

    def acknowledged(self, identifiers: list[int], position: int) -> None:
        """PUBACK was written for these, whose positions are at most ``position``."""
        self._unconfirmed.append((identifiers, position))

    @property
    def unconfirmed(self) -> bool:
        """Whether there are PUBACKs of which nothing proves that they arrived."""
        return bool(self._unconfirmed or self._confirming)

    def asked(self) -> None:
        """A PINGREQ was written: its answer confirms every PUBACK before it."""
        self._confirming += self._unconfirmed
        self._unconfirmed = []

    def confirmed(self) -> None:
        """The PINGRESP came."""
        for identifiers, position in self._confirming:
            chosen = np.asarray(identifiers)
            old = chosen[(self._lines["position"][chosen] <= position) & (self._lines["qos"][chosen] == 1)]
            self._lines[old] = 0
        self._confirming = []

    def release(self, identifier: int) -> bool:
        """A PUBREL came; False where nothing was waiting for it."""
        known = int(self._lines["qos"][identifier]) == 2
        if known:
            self._lines[identifier] = 0
        return known
