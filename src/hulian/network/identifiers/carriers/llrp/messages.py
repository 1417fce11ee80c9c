"""What the messages of an inventory hold: status, the order to read (ROSpec), reports, events, versions."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from hulian.network.identifiers.carriers.errors import LlrpError, LlrpFormatError, ReaderError
from hulian.network.identifiers.carriers.llrp.codec import Parameter, find, parameter, parameters, short_parameter
from hulian.network.identifiers.carriers.llrp.numbers import ParameterType as P
from hulian.network.identifiers.carriers.llrp.numbers import Status
from hulian.network.identifiers.carriers.rfid.bank import EpcBank
from hulian.network.identifiers.schemes import Code

__all__ = [
    "MAXIMUM_EPC_BITS",
    "MAXIMUM_TAGS",
    "Order",
    "TagReport",
    "attempt_of",
    "check_status",
    "encode_order",
    "encode_report",
    "keepalive_spec",
    "read_report",
    "status",
]

MAXIMUM_TAGS: Final = 20_000
"""Most tags in one report; more than a message within its bound can hold."""

MAXIMUM_EPC_BITS: Final = 1024

_START_BY_ORDER, _STOP_BY_ORDER = 0, 0
_EVERY_N_TAGS: Final = 1
_GEN2: Final = 1
_REPORT_ANTENNA, _REPORT_RSSI, _REPORT_FIRST, _REPORT_LAST, _REPORT_COUNT = 1 << 12, 1 << 10, 1 << 9, 1 << 8, 1 << 7
_MEMORY_PC: Final = 0x40
_TEXT: Final = 1024
# Plain numbers: looking a member of an enumeration up costs as much as reading a field.
_EPC_96, _EPC_DATA, _PEAK_RSSI, _FIRST_LONG = int(P.EPC_96), int(P.EPC_DATA), int(P.PEAK_RSSI), int(P.UTC_TIMESTAMP)
_FIELDS: Final = tuple(map(int, (P.ANTENNA_ID, P.PEAK_RSSI, P.FIRST_SEEN_UTC, P.LAST_SEEN_UTC, P.TAG_SEEN_COUNT, P.C1G2_PC)))
"""Antenna, RSSI, first and last seen, count, protocol control: in the order of `TagReport`."""
_MOST_ANTENNAS: Final = 256
_STATUSES: Final = {each.value: each.name for each in Status}


class TagReport(NamedTuple):
    """One tag in a report. Fields that the reader left out are None. Times are microseconds of UTC since 1970.

    ``control`` is the tag's protocol control; without it, a code is taken for an EPC.
    """

    epc: bytes
    bits: int
    antenna: int | None = None
    rssi: int | None = None
    """Peak, in dBm."""
    first_seen: int | None = None
    last_seen: int | None = None
    seen: int | None = None
    control: int | None = None

    def code(self) -> Code:
        """What the tag names. Raises `SchemeError` where nothing is recognised, `TagError` where the answer is damaged."""
        whole = self.epc + b"\0" * (len(self.epc) % 2)
        if self.control is None:
            return EpcBank(whole).code()
        return EpcBank(whole, bool(self.control & 0x100), self.control & 0xFF).code()


@dataclass(frozen=True, slots=True)
class Order:
    """What a reader is asked for: an inventory on ``antennas`` (0: all), a report every ``every`` tags."""

    id: int = 1
    antennas: tuple[int, ...] = (0,)
    every: int = 1

    def __post_init__(self) -> None:
        antennas = 1 <= len(self.antennas) <= _MOST_ANTENNAS and all(0 <= each <= 0xFFFF for each in self.antennas)
        if not (1 <= self.id < 1 << 32 and antennas and 1 <= self.every <= 0xFFFF):
            raise LlrpError(
                f"no reader can carry out {self}",
                rule="llrp.order",
                hint=f"an id above 0, 1 to {_MOST_ANTENNAS} antennas, a report every 1 to 65,535 tags",
            )


def encode_order(order: Order) -> bytes:
    """The ROSpec parameter: it starts and stops when it is told to, and reports antenna, RSSI, times and count of each tag."""
    start = parameter(P.ROSPEC_START_TRIGGER, bytes([_START_BY_ORDER]))
    stop = parameter(P.ROSPEC_STOP_TRIGGER, struct.pack(">BI", _STOP_BY_ORDER, 0))
    antennas = struct.pack(f">H{len(order.antennas)}H", len(order.antennas), *order.antennas)
    ai_stop = parameter(P.AISPEC_STOP_TRIGGER, struct.pack(">BI", _STOP_BY_ORDER, 0))
    inventory = parameter(P.INVENTORY_PARAMETER_SPEC, struct.pack(">HB", 1, _GEN2))
    wanted = _REPORT_ANTENNA | _REPORT_RSSI | _REPORT_FIRST | _REPORT_LAST | _REPORT_COUNT
    memory = parameter(P.C1G2_EPC_MEMORY_SELECTOR, bytes([_MEMORY_PC]))
    selector = parameter(P.TAG_REPORT_CONTENT_SELECTOR, struct.pack(">H", wanted), memory)
    return parameter(
        P.ROSPEC,
        struct.pack(">IBB", order.id, 0, 0),
        parameter(P.RO_BOUNDARY_SPEC, b"", start, stop),
        parameter(P.AISPEC, antennas, ai_stop, inventory),
        parameter(P.RO_REPORT_SPEC, struct.pack(">BH", _EVERY_N_TAGS, order.every), selector),
    )


def keepalive_spec(milliseconds: int) -> bytes:
    """What SET_READER_CONFIG holds so that the reader sends KEEPALIVE this often."""
    return parameter(P.KEEPALIVE_SPEC, struct.pack(">BI", 1 if milliseconds else 0, milliseconds))


def status(code: int = Status.SUCCESS, text: str = "") -> bytes:
    """The LLRPStatus parameter."""
    octets = text.encode()[:_TEXT]
    return parameter(P.LLRP_STATUS, struct.pack(">HH", code, len(octets)) + octets)


def check_status(body: bytes, what: str, begin: int = 0) -> None:
    """Raises `ReaderError` with the reader's words unless the answer to ``what`` says success."""
    found = find(body, P.LLRP_STATUS, begin)
    if found is None or len(found.value) < 4:
        raise LlrpFormatError(f"the answer to {what} has no status", rule="llrp.status")
    code, length = struct.unpack_from(">HH", found.value)
    if code != Status.SUCCESS:
        said = found.value[4 : 4 + min(length, _TEXT)].decode(errors="replace")
        name = _STATUSES.get(code, "a status that is not known here")
        raise ReaderError(f"{what}: {name} ({code}){': ' + said if said else ''}", rule="llrp.status", status=code)


def attempt_of(body: bytes) -> tuple[int | None, bool]:
    """What an event says of the connection: the result of an attempt to connect (0 is success), and whether it is closed."""
    data = find(body, P.READER_EVENT_NOTIFICATION_DATA)
    if data is None:
        return None, False
    attempt, closed = None, False
    for each in parameters(data.value):
        if each.type == P.CONNECTION_ATTEMPT_EVENT and len(each.value) >= 2:
            attempt = int.from_bytes(each.value[:2], "big")
        closed = closed or each.type == P.CONNECTION_CLOSE_EVENT
    return attempt, closed


def encode_report(reports: list[TagReport]) -> bytes:
    """The body of RO_ACCESS_REPORT."""
    return b"".join(parameter(P.TAG_REPORT_DATA, b"", *_fields(report)) for report in reports)


def _fields(report: TagReport) -> list[bytes]:
    if report.bits == 96:
        fields = [bytes([0x80 | P.EPC_96]) + report.epc]
    else:
        fields = [parameter(P.EPC_DATA, struct.pack(">H", report.bits) + report.epc)]
    for type_, value in (
        (P.ANTENNA_ID, report.antenna),
        (P.PEAK_RSSI, report.rssi),
        (P.FIRST_SEEN_UTC, report.first_seen),
        (P.LAST_SEEN_UTC, report.last_seen),
        (P.TAG_SEEN_COUNT, report.seen),
        (P.C1G2_PC, report.control),
    ):
        if value is not None:
            fields.append(short_parameter(type_, value, signed=type_ == P.PEAK_RSSI))
    return fields


def read_report(body: bytes) -> list[TagReport]:
    """The tags of RO_ACCESS_REPORT; what else it holds is passed over. Raises `LlrpFormatError`."""
    found: list[TagReport] = []
    for each in parameters(body):
        if each.type == P.TAG_REPORT_DATA:
            if len(found) == MAXIMUM_TAGS:
                raise LlrpFormatError(f"more than {MAXIMUM_TAGS} tags", rule="llrp.tags", position=each.offset)
            found.append(_tag(each))
    return found


def _tag(data: Parameter) -> TagReport:
    epc, bits = None, 0
    numbers: list[int | None] = [None] * _FIRST_LONG
    for type_, value, offset in parameters(data.value):
        if type_ == _EPC_96:
            epc, bits = value, 96
        elif type_ == _EPC_DATA:
            bits = int.from_bytes(value[:2], "big")
            epc = value[2:]
            if len(value) < 2 or bits > MAXIMUM_EPC_BITS or len(epc) != -(-bits // 8):
                raise LlrpFormatError(
                    f"an EPC of {bits} bits in {len(epc)} octets", rule="llrp.epc", position=data.offset + offset
                )
        elif type_ < _FIRST_LONG:
            numbers[type_] = int.from_bytes(value, "big", signed=type_ == _PEAK_RSSI)
    if epc is None:
        raise LlrpFormatError("a tag without EPC", rule="llrp.epc", position=data.offset)
    return TagReport(epc, bits, *[numbers[type_] for type_ in _FIELDS])
