"""The answering side of the protocol: one request of a master to one answer, out of tables of memory. No I/O.

It stands behind the simulator. MODBUS Application Protocol 1.1b3, section 6.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from hulian.network.exchange.protocols.modbus.address import Table
from hulian.network.exchange.protocols.modbus.wire import MAXIMUM_BITS, MAXIMUM_REGISTERS

__all__ = ["Memory"]

_TABLES = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}


class _RefusalError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Memory:
    """The four tables of one unit. An entry exists from the moment `put` first names it; others are refused."""

    def __init__(self, identification: dict[int, str] | None = None) -> None:
        self.identification = identification or {}
        self._entries: dict[Table, npt.NDArray[np.uint16]] = {table: np.zeros(65536, np.uint16) for table in Table}
        self._exists: dict[Table, npt.NDArray[np.bool_]] = {table: np.zeros(65536, np.bool_) for table in Table}

    def put(self, table: Table, offset: int, values: list[int]) -> None:
        """Sets entries, and makes them where they do not exist."""
        self._entries[table][offset : offset + len(values)] = values
        self._exists[table][offset : offset + len(values)] = True

    def get(self, table: Table, offset: int, count: int = 1) -> list[int]:
        """Entries as they are now."""
        return [int(value) for value in self._entries[table][offset : offset + count]]

    def remove(self, table: Table, offset: int, count: int = 1) -> None:
        """From now on these entries are refused."""
        self._exists[table][offset : offset + count] = False

    def answer(self, pdu: bytes) -> bytes:
        """The answer to any bytes at all, an exception where they make no sense."""
        function = pdu[0] if pdu else 0
        try:
            return self._answer(function, pdu)
        except _RefusalError as refusal:
            return bytes((function | 0x80, refusal.code))
        except struct.error:
            return bytes((function | 0x80, 3))

    def _answer(self, function: int, pdu: bytes) -> bytes:
        if function in _TABLES:
            _, offset, count = struct.unpack(">BHH", pdu)
            table = _TABLES[function]
            values = self._span(table, offset, count, MAXIMUM_BITS if table.bits else MAXIMUM_REGISTERS)
            payload = np.packbits(values.astype(np.bool_), bitorder="little") if table.bits else values.astype(">u2")
            return bytes((function, payload.nbytes)) + payload.tobytes()
        if function == 5:
            _, offset, value = struct.unpack(">BHH", pdu)
            if value not in (0, 0xFF00):
                raise _RefusalError(3)
            self._span(Table.COIL, offset, 1, 1)[:] = value != 0
            return pdu
        if function == 6:
            _, offset, value = struct.unpack(">BHH", pdu)
            self._span(Table.HOLDING, offset, 1, 1)[:] = value
            return pdu
        if function in (15, 16):
            return self._write_several(function, pdu)
        if function == 22:
            _, offset, keep, change = struct.unpack(">BHHH", pdu)
            span = self._span(Table.HOLDING, offset, 1, 1)
            span[:] = (int(span[0]) & keep) | (change & ~keep & 0xFFFF)
            return pdu
        if function == 23:
            return self._read_write(pdu)
        if function == 43 and self.identification:
            return self._identify(pdu)
        raise _RefusalError(1)

    def _span(self, table: Table, offset: int, count: int, most: int) -> npt.NDArray[np.uint16]:
        if not 1 <= count <= most:
            raise _RefusalError(3)
        if offset + count > 65536 or not self._exists[table][offset : offset + count].all():
            raise _RefusalError(2)
        return self._entries[table][offset : offset + count]

    def _write_several(self, function: int, pdu: bytes) -> bytes:
        _, offset, count, size = struct.unpack_from(">BHHB", pdu)
        payload = np.frombuffer(pdu, np.uint8, offset=6)
        if len(payload) != size or size != ((count + 7) // 8 if function == 15 else 2 * count):
            raise _RefusalError(3)
        if function == 15:
            self._span(Table.COIL, offset, count, 1968)[:] = np.unpackbits(payload, bitorder="little")[:count]
        else:
            self._span(Table.HOLDING, offset, count, 123)[:] = payload.view(">u2")
        return pdu[:5]

    def _read_write(self, pdu: bytes) -> bytes:
        """The write comes before the read (section 6.17)."""
        _, offset, count, target, written, size = struct.unpack_from(">BHHHHB", pdu)
        payload = np.frombuffer(pdu, np.uint8, offset=10)
        if len(payload) != size or size != 2 * written:
            raise _RefusalError(3)
        self._span(Table.HOLDING, offset, count, MAXIMUM_REGISTERS)
        self._span(Table.HOLDING, target, written, 121)[:] = payload.view(">u2")
        values = self._span(Table.HOLDING, offset, count, MAXIMUM_REGISTERS).astype(">u2")
        return bytes((23, values.nbytes)) + values.tobytes()

    def _identify(self, pdu: bytes) -> bytes:
        if len(pdu) != 4 or pdu[1] != 14:
            raise _RefusalError(1)
        objects = [(number, text.encode()) for number, text in sorted(self.identification.items()) if number >= pdu[3]]
        answer = bytearray((43, 14, pdu[2], 2, 0, 0, 0))
        for number, text in objects:
            if len(answer) + 2 + len(text) > 250:
                answer[4:6] = bytes((0xFF, number))
                break
            answer += bytes((number, len(text))) + text
            answer[6] += 1
        return bytes(answer)
