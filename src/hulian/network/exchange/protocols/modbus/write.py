"""Set-points: one value to its registers, confirmed by the device and read back."""

from __future__ import annotations

from typing import Any, Final

from hulian.network.exchange.protocols.modbus.address import FIELDS, byte_order
from hulian.network.exchange.protocols.modbus.channel import Link
from hulian.network.exchange.protocols.modbus.config import ModbusConfiguration
from hulian.network.exchange.protocols.modbus.errors import GarbageError, RefusedError, ValueFitError, VerifyError
from hulian.network.exchange.protocols.modbus.values import Item, encode_field, encode_value
from hulian.network.exchange.protocols.modbus.wire import (
    check_write,
    mask_write_request,
    parse_read,
    parse_read_write,
    read_request,
    read_write_request,
    write_bits_request,
    write_registers_request,
)

__all__ = ["write_item"]

_UNKNOWN_FUNCTION: Final = 1
_MOST_READ_WRITE: Final = 121


async def write_item(link: Link, item: Item, value: Any, configuration: ModbusConfiguration) -> None:
    """Raises `ValueFitError` before anything is sent, `RefusedError` or `VerifyError` for what the device makes of it.

    Functions 5 (coil), 6 and 16 (registers), 22 (bits of a register); where the device does not know 5 or 6, 15 and 16; where
    it does not know 22, the register is read, changed and written. ``write_function`` may ask for 15 and 16, or for 23, which
    writes and reads back in one request. A broadcast (unit 0 of a serial line) is answered by nobody and so not verified. A
    `GarbageError` ends a TCP connection, as it does when reading.
    """
    if not item.place.table.writable:
        hint = "only coils and holding registers can be written"
        raise ValueFitError(f"table '{item.place.table}' is read-only", place=item.address, hint=hint)
    try:
        await _Writing(link, item, configuration).write(value)
    except RefusedError as error:
        raise RefusedError(error.exception, place=f"{link.peer}, unit {item.unit}, {item.address}") from error
    except GarbageError as error:
        if not link.half_duplex:
            link.abandon(error)
        raise


class _Writing:
    """One set-point on its way."""

    def __init__(self, link: Link, item: Item, configuration: ModbusConfiguration) -> None:
        self.link = link
        self.item = item
        self.timeout = configuration.timeout
        self.function = configuration.write_function
        self.most = configuration.max_write_registers
        self.broadcast = link.half_duplex and item.unit == 0
        self.verify = item.options.verify and not self.broadcast

    async def write(self, value: Any) -> None:
        place = self.item.place
        if place.type in FIELDS:
            await self._bits(*encode_field(self.item, value))
        elif place.type in ("bool", "bit"):
            if not isinstance(value, bool) and value not in (0, 1):
                raise ValueFitError(f"{value!r} is neither true nor false", place=self.item.address)
            if place.type == "bool":
                await self._coil(bool(value))
            else:
                mask = 1 << place.bit
                await self._bits(mask, mask if value else 0)
        else:
            await self._registers(encode_value(self.item, value), value)

    async def _coil(self, flag: bool) -> None:
        place = self.item.place

        def request(*, single: bool) -> bytes:
            return write_bits_request(place.offset, [flag], single=single)

        await self._single_or_several(request(single=True), request(single=False))
        if self.verify and bool((await self._read())[0] & 1) is not flag:
            raise VerifyError(f"{flag} was written and {not flag} reads back", place=f"{self.link.peer}, {self.item.address}")

    async def _registers(self, payload: bytes, value: Any) -> None:
        place = self.item.place
        if len(payload) > 2 * self.most and place.type not in ("string", "bytes"):
            hint = "the parts of a number must be written together: raise 'max_write_registers' if the device allows it"
            raise ValueFitError(f"a {place.type} needs {len(payload) // 2} registers", place=self.item.address, hint=hint)
        found = None
        if self.function == "read-write" and not self.broadcast and len(payload) <= 2 * min(self.most, _MOST_READ_WRITE):
            answer = await self._ask(read_write_request(place.offset, payload))
            found = parse_read_write(answer, len(payload) // 2)
        else:
            for start in range(0, len(payload), 2 * self.most):
                part, offset = payload[start : start + 2 * self.most], place.offset + start // 2
                single = write_registers_request(offset, part)
                await self._single_or_several(single, write_registers_request(offset, part, single=False))
        if self.verify:
            found = await self._read() if found is None else found
            if found != payload:
                text = f"{value!r} was written and {found.hex(' ')} reads back"
                raise VerifyError(text, place=f"{self.link.peer}, {self.item.address}")

    async def _bits(self, mask: int, bits: int) -> None:
        """Changes the bits of ``mask``, which count from the lowest bit of the value, and no others."""
        item, place = self.item, self.item.place
        if place.width == 2:
            if item.order in ("badc", "dcba", "ba"):
                mask, bits = _swapped(mask), _swapped(bits)
            try:
                if self.function != "auto":
                    raise RefusedError(_UNKNOWN_FUNCTION)
                await self._confirm(mask_write_request(place.offset, ~mask & 0xFFFF, bits))
            except RefusedError as error:
                if error.exception != _UNKNOWN_FUNCTION:
                    raise
                await self._change(mask, bits, big_endian=True)
        else:
            await self._change(mask, bits, big_endian=False)
        if self.verify:
            found = await self._read()
            number = int.from_bytes(found, "big") if place.width == 2 else self._number(found)
            if number & mask != bits:
                text = f"bits {bits:#x} were written and {found.hex(' ')} reads back"
                raise VerifyError(text, place=f"{self.link.peer}, {item.address}")

    async def _change(self, mask: int, bits: int, *, big_endian: bool) -> None:
        """Reads the registers, changes some of their bits, writes them."""
        if self.broadcast:
            raise ValueFitError("bits cannot be broadcast: the register's others are not known", place=self.item.address)
        place = self.item.place
        raw = await self._read()
        order = tuple(reversed(range(place.width))) if big_endian else self._order()
        number = sum(raw[at] << 8 * rank for rank, at in enumerate(order))
        number = (number & ~mask) | bits
        changed = bytearray(len(raw))
        for rank, at in enumerate(order):
            changed[at] = number >> 8 * rank & 0xFF
        single = write_registers_request(place.offset, bytes(changed))
        await self._single_or_several(single, write_registers_request(place.offset, bytes(changed), single=False))

    def _order(self) -> tuple[int, ...]:
        return byte_order(self.item.order, self.item.place.width)

    def _number(self, raw: bytes) -> int:
        return sum(raw[at] << 8 * rank for rank, at in enumerate(self._order()))

    async def _single_or_several(self, single: bytes, several: bytes) -> None:
        """The function for one entry; where the device does not know it, the one for several."""
        if self.function == "auto":
            try:
                await self._confirm(single)
                return
            except RefusedError as error:
                if error.exception != _UNKNOWN_FUNCTION or single == several:
                    raise
        await self._confirm(several)

    async def _confirm(self, request: bytes) -> None:
        answer = await self._ask(request)
        if not self.broadcast:
            check_write(request, answer)

    async def _read(self) -> bytes:
        place = self.item.place
        return parse_read(await self._ask(read_request(place.table, place.offset, place.count)), place.table, place.count)

    async def _ask(self, request: bytes) -> bytes:
        return await self.link.request(self.item.unit, request, self.timeout)


def _swapped(register: int) -> int:
    return (register >> 8) | (register & 0xFF) << 8
