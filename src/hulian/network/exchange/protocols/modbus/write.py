"""Set-points: one value to its registers, confirmed by the device and read back."""

from __future__ import annotations

from typing import Any

from hulian.network.exchange.protocols.modbus.client import Client
from hulian.network.exchange.protocols.modbus.errors import GarbageError, RefusedError, ValueFitError, VerifyError
from hulian.network.exchange.protocols.modbus.values import Item, encode_value
from hulian.network.exchange.protocols.modbus.wire import (
    check_write,
    mask_write_request,
    parse_read,
    read_request,
    write_bits_request,
    write_registers_request,
)

__all__ = ["write_item"]


async def write_item(client: Client, item: Item, value: Any, timeout: float) -> None:
    """Raises `ValueFitError` before anything is sent, `RefusedError` or `VerifyError` for what the device makes of it.

    Functions 5 (coil), 6 and 16 (registers), 22 (a bit of a register; where the device does not know it, the register is
    read, changed and written). A `GarbageError` ends the connection, as it does when reading.
    """
    if not item.place.table.writable:
        hint = "only coils and holding registers can be written"
        raise ValueFitError(f"table '{item.place.table}' is read-only", place=item.address, hint=hint)
    try:
        await _write(client, item, value, timeout)
    except RefusedError as error:
        raise RefusedError(error.exception, place=f"{client.peer}, unit {item.unit}, {item.address}") from error
    except GarbageError as error:
        client.abandon(error)
        raise


async def _write(client: Client, item: Item, value: Any, timeout: float) -> None:
    place = item.place
    if place.type in ("bool", "bit"):
        if not isinstance(value, bool) and value not in (0, 1):
            raise ValueFitError(f"{value!r} is neither true nor false", place=item.address)
        flag = bool(value)
        if place.type == "bool":
            await _confirm(client, item, write_bits_request(place.offset, [flag]), timeout)
        else:
            await _write_bit(client, item, flag, timeout)
        expected = None
    else:
        flag = False
        expected = encode_value(item, value)
        await _confirm(client, item, write_registers_request(place.offset, expected), timeout)
    if item.options.verify:
        found = await _read(client, item, timeout)
        same = found == expected if expected is not None else _flag(item, found) is flag
        if not same:
            raise VerifyError(f"{value!r} was written and {found.hex(' ')} reads back", place=f"{client.peer}, {item.address}")


async def _confirm(client: Client, item: Item, request: bytes, timeout: float) -> None:
    check_write(request, await client.request(item.unit, request, timeout))


async def _read(client: Client, item: Item, timeout: float) -> bytes:
    place = item.place
    answer = await client.request(item.unit, read_request(place.table, place.offset, place.count), timeout)
    return parse_read(answer, place.table, place.count)


def _bit(item: Item) -> int:
    """The bit's number in the register as it is on the wire."""
    return (item.place.bit + 8) % 16 if item.order in ("badc", "dcba", "ba") else item.place.bit


def _flag(item: Item, payload: bytes) -> bool:
    if item.place.type == "bool":
        return bool(payload[0] & 1)
    return bool(int.from_bytes(payload[:2], "big") >> _bit(item) & 1)


async def _write_bit(client: Client, item: Item, flag: bool, timeout: float) -> None:
    mask = 1 << _bit(item)
    try:
        await _confirm(client, item, mask_write_request(item.place.offset, ~mask & 0xFFFF, mask if flag else 0), timeout)
    except RefusedError as error:
        if error.exception != 1:
            raise
        register = int.from_bytes(await _read(client, item, timeout), "big")
        register = register | mask if flag else register & ~mask
        await _confirm(client, item, write_registers_request(item.place.offset, register.to_bytes(2, "big")), timeout)
