"""What a Modbus device shows. It has no directory: either its register map is configured, or its tables are probed.

Branches of a probe: a table (``holding``), in it each readable range (``holding@0-99``), in that each register. The first
branch is what the device says of itself (function 43/14), where it says anything.
"""

from __future__ import annotations

import csv
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Address, Browsed
from hulian.network.exchange.protocols.modbus.address import Place, Table
from hulian.network.exchange.protocols.modbus.bus import open_link
from hulian.network.exchange.protocols.modbus.channel import Link, Pace
from hulian.network.exchange.protocols.modbus.config import MapEntry, ModbusConfiguration, parse_options
from hulian.network.exchange.protocols.modbus.errors import (
    AddressError,
    MapError,
    ModbusError,
    RefusedError,
    SilenceError,
)
from hulian.network.exchange.protocols.modbus.plan import Limits, Plan
from hulian.network.exchange.protocols.modbus.target import Target
from hulian.network.exchange.protocols.modbus.values import Item
from hulian.network.exchange.protocols.modbus.wire import (
    MAXIMUM_BITS,
    MAXIMUM_REGISTERS,
    identification_request,
    parse_identification,
    parse_read,
    read_request,
)

__all__ = ["browse_device", "read_map"]

_OBJECTS: Final = {0: "vendor", 1: "product code", 2: "revision", 3: "vendor URL", 4: "product", 5: "model", 6: "application"}
_MOST_REQUESTS: Final = 1200
_MOST_SECONDS: Final = 5.0
_STRIDE: Final = 16
_LARGEST_MAP: Final = 16 * 1024 * 1024


async def browse_device(
    target: Target, configuration: ModbusConfiguration, *, under: Address | None, depth: int
) -> AsyncIterator[Browsed]:
    """See the module; values are read once where the device can be reached."""
    entries = read_map(configuration)
    pace = Pace(configuration.request_gap, configuration.rate)
    client = await open_link(target, timeout=configuration.connect_timeout, depth=1, pace=pace)
    unit = configuration.unit if target.unit is None else target.unit
    try:
        if entries:
            async for node in _browse_map(client, unit, configuration, entries, under):
                yield node
        else:
            async for node in _Probe(client, unit, configuration).browse(under, depth):
                yield node
    finally:
        client.close()


# -- the register map ----------------------------------------------------------------------------------------------------


def read_map(configuration: ModbusConfiguration) -> list[MapEntry]:
    """The entries of the configuration and of its CSV file; raises `MapError` with the line of the first mistake."""
    entries = list(configuration.map)
    if configuration.map_file:
        path = Path(configuration.map_file).expanduser()
        try:
            if path.stat().st_size > _LARGEST_MAP:
                raise MapError("the register map is larger than 16 MiB", place=str(path))
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise MapError(f"cannot read the register map: {error.strerror}", place=str(path)) from error
        except UnicodeDecodeError as error:
            raise MapError("the register map is not UTF-8", place=f"{path}, byte {error.start}") from error
        entries += _parse_map(text, str(path))
    for entry in entries:
        try:
            Place.parse(entry.address)
        except AddressError as error:
            raise MapError(f"'{entry.name}': {error.message}", place=entry.address, hint=error.hint) from error
    return entries


def _parse_map(text: str, place: str) -> list[MapEntry]:
    lines = text.splitlines()
    delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    reader = csv.DictReader(lines, delimiter=delimiter)
    known = set(MapEntry.__struct_fields__)
    unknown = [name for name in reader.fieldnames or () if name.strip().lower() not in known]
    if unknown or not {"name", "address"} <= {name.strip().lower() for name in reader.fieldnames or ()}:
        what = f"unknown column '{unknown[0]}'" if unknown else "the columns 'name' and 'address' are missing"
        raise MapError(what, place=f"{place}:1", hint=f"columns: {', '.join(MapEntry.__struct_fields__)}")
    entries = []
    for row in reader:
        fields: dict[str, Any] = {
            key.strip().lower(): value.strip() for key, value in row.items() if isinstance(key, str) and value and value.strip()
        }
        if not fields:
            continue
        if "writable" in fields:
            fields["writable"] = fields["writable"].lower() in ("1", "true", "yes", "x", "w", "rw")
        try:
            entries.append(msgspec.convert(fields, MapEntry, strict=False))
        except msgspec.ValidationError as error:
            raise MapError(str(error), place=f"{place}:{reader.line_num}") from error
    return entries


async def _browse_map(
    client: Link, unit: int, configuration: ModbusConfiguration, entries: Sequence[MapEntry], under: Address | None
) -> AsyncIterator[Browsed]:
    items: list[tuple[MapEntry, Item, dict[str, Any]]] = []
    for number, entry in enumerate(entries):
        options = _options(entry)
        parsed = parse_options(options, entry.address)
        place = Place.parse(entry.address)
        storage = place.natural_storage(scaled=parsed.scaled)
        own = unit if place.unit is None else place.unit
        items.append(
            (entry, Item.of(number + 1, entry.address, place, parsed, storage, unit=own, order=configuration.order), options)
        )
    values = await _read_values(client, [item for _, item, _ in items], configuration)
    writable = {Place.parse(address).canonical for address in configuration.writable}
    for (entry, item, options), value in zip(items, values, strict=True):
        path = tuple(part for part in entry.name.split("/") if part)
        if under and not ("/".join(path).startswith(under.rstrip("/") + "/")):
            continue
        yield Browsed(
            address=entry.address,
            name=path[-1] if path else entry.name,
            path=path or (entry.name,),
            leaf=True,
            storage=item.storage,
            kind=Kind.CONTINUOUS if item.storage in (StorageClass.DOUBLE, StorageClass.INTEGER) else Kind.STEP,
            unit=entry.unit,
            low=entry.low,
            high=entry.high,
            writable=item.place.table.writable and (entry.writable or item.place.canonical in writable),
            description=entry.description,
            value=value,
            options=options,
        )


_DEFAULTS: Final = {"scale": 1.0, "offset": 0.0, "order": "", "interval": None}


def _options(entry: MapEntry) -> dict[str, Any]:
    """The options of a point made of ``entry``: what differs from the defaults."""
    return {key: getattr(entry, key) for key, default in _DEFAULTS.items() if getattr(entry, key) != default}


async def _read_values(client: Link, items: Sequence[Item], configuration: ModbusConfiguration) -> list[str]:
    """Each item's value as text, empty where it cannot be read."""
    found = [""] * len(items)
    limits = Limits(configuration.max_registers, configuration.max_bits, configuration.gap, configuration.bit_gap)
    for unit in sorted({item.unit for item in items}):
        plan = Plan([item for item in items if item.unit == unit], limits)
        todo = list(plan.blocks)
        while todo:
            block = todo.pop(0)
            try:
                answer = await client.request(unit, read_request(block.table, block.offset, block.count), configuration.timeout)
                payload = parse_read(answer, block.table, block.count)
            except RefusedError:
                parts = block.divided(plan.items)
                if len(parts) > 1:
                    _note(plan, found)
                    plan.replace(block, parts)
                    todo = parts + todo
                continue
            except SilenceError:
                break
            plan.answered(plan.blocks.index(block), payload, 0)
        _note(plan, found)
    return found


def _note(plan: Plan, found: list[str]) -> None:
    for columns in plan.columns():
        for series, value in zip(columns.series.tolist(), columns.value.to_pylist(), strict=True):
            found[series - 1] = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# -- probing -------------------------------------------------------------------------------------------------------------


class _Probe:
    """Finds readable ranges by asking for large pieces and halving what is refused."""

    def __init__(self, client: Link, unit: int, configuration: ModbusConfiguration) -> None:
        self.client = client
        self.unit = unit
        self.configuration = configuration
        self.left = _MOST_REQUESTS
        self.answered = False

    async def browse(self, under: Address | None, depth: int) -> AsyncIterator[Browsed]:
        levels = depth or 99
        if not under:
            async for node in self._identification():
                yield node
            for table in Table:
                async for node in self._table(table, levels):
                    yield node
            if not self.answered:
                raise SilenceError(f"unit {self.unit} answers nothing that was asked", place=self.client.peer)
            return
        name, _, span = under.partition("@")
        try:
            table = Table(name)
            first, _, last = span.partition("-")
            wanted = range(int(first), int(last or first) + 1) if span else None
        except ValueError as error:
            hint = "branches are tables (holding) and their ranges (holding@0-99)"
            raise AddressError(f"'{under}' is no branch of a Modbus device", place=under, hint=hint) from error
        if wanted is None:
            async for node in self._ranges(table, await self._find(table), levels):
                yield node
            return
        if wanted.stop > 65536 or not wanted:
            raise AddressError(f"'{under}' is no range of registers", place=under)
        for node in await self._leaves(table, wanted):
            yield node

    async def _ask(self, pdu: bytes) -> bytes:
        answer = await self.client.request(self.unit, pdu, self.configuration.timeout)
        self.answered = True
        return answer

    async def _identification(self) -> AsyncIterator[Browsed]:
        found: dict[int, str] = {}
        position = 0
        try:
            for _ in range(8):
                objects, position = parse_identification(await self._ask(identification_request(position)))
                found |= objects
                if not position or position in found:
                    break
        except RefusedError:
            return
        except SilenceError:
            return
        if found:
            text = ", ".join(f"{_OBJECTS.get(number, f'object {number}')}: {value}" for number, value in sorted(found.items()))
            name = " ".join(found[number] for number in (0, 4, 1, 2) if found.get(number)) or "device"
            yield Browsed(address="identification", name=name, path=(name,), leaf=False, description=text)

    async def _table(self, table: Table, levels: int) -> AsyncIterator[Browsed]:
        ranges = await self._find(table)
        if not ranges:
            return
        text = ", ".join(f"{found.start}-{found.stop - 1}" for found in ranges)
        yield Browsed(
            address=str(table), name=str(table), path=(str(table),), leaf=False, description=f"readable: {text}",
            writable=table.writable,
        )  # fmt: skip
        if levels > 1:
            async for node in self._ranges(table, ranges, levels - 1):
                yield node

    async def _ranges(self, table: Table, ranges: list[range], levels: int) -> AsyncIterator[Browsed]:
        for found in ranges:
            name = f"{table}@{found.start}-{found.stop - 1}"
            yield Browsed(
                address=name, name=f"{found.start}-{found.stop - 1}", path=(str(table), f"{found.start}-{found.stop - 1}"),
                leaf=False, description=f"{len(found)} entries",
            )  # fmt: skip
            if levels > 1:
                for node in await self._leaves(table, found):
                    yield node

    async def _leaves(self, table: Table, found: range) -> list[Browsed]:
        values: list[int | None] = []
        size = self._piece(table)
        for start in range(found.start, found.stop, size):
            count = min(size, found.stop - start)
            payload = await self._read(table, start, count)
            values += [None] * count if payload is None else _plain(table, payload, count)
        kind = "" if table.bits else ":uint16"
        return [
            Browsed(
                address=f"{table}@{offset}{kind}",
                name=f"{table} {offset}",
                path=(str(table), f"{found.start}-{found.stop - 1}", str(offset)),
                leaf=True,
                storage=StorageClass.BOOLEAN if table.bits else StorageClass.INTEGER,
                kind=Kind.STEP if table.bits else Kind.CONTINUOUS,
                writable=Place.parse(f"{table}@{offset}{kind}").canonical in self._writable(),
                value="" if value is None else str(bool(value)).lower() if table.bits else str(value),
                description=f"reference {Place(None, table, offset, 'uint16').reference}",
            )
            for offset, value in zip(found, values, strict=True)
        ]

    def _writable(self) -> set[str]:
        return {Place.parse(address).canonical for address in self.configuration.writable}

    def _piece(self, table: Table) -> int:
        configuration = self.configuration
        return min(configuration.max_bits, MAXIMUM_BITS) if table.bits else min(configuration.max_registers, MAXIMUM_REGISTERS)

    async def _read(self, table: Table, offset: int, count: int) -> bytes | None:
        """The payload; None where the device refuses. Raises `SilenceError` and whatever ends the connection."""
        self.left -= 1
        try:
            return parse_read(await self._ask(read_request(table, offset, count)), table, count)
        except RefusedError as error:
            if error.exception in (10, 11):
                raise SilenceError(error.message, place=f"{self.client.peer}, unit {self.unit}", hint=error.hint) from error
            return None

    async def _find(self, table: Table) -> list[range]:
        """Readable ranges below ``probe_limit``, as far as the allowed requests and seconds lead."""
        found: list[range] = []
        limit, size = self.configuration.probe_limit, min(self._piece(table), 128)
        pieces = [range(start, min(start + size, limit)) for start in range(0, limit, size)]
        self.left = _MOST_REQUESTS // len(Table)
        until = time.monotonic() + _MOST_SECONDS
        try:
            while pieces and self.left > 0 and time.monotonic() < until:
                piece = pieces.pop(0)
                if await self._read(table, piece.start, len(piece)) is not None:
                    if found and found[-1].stop == piece.start:
                        found[-1] = range(found[-1].start, piece.stop)
                    else:
                        found.append(piece)
                elif len(piece) > 1:
                    middle = piece.start + len(piece) // 2
                    if await self._is_empty(table, piece):
                        continue
                    pieces[:0] = [range(piece.start, middle), range(middle, piece.stop)]
        except SilenceError:
            if not found:
                return []
        except ModbusError as error:
            if self.client.error is not None:
                raise self.client.error from error
            raise
        return found

    async def _is_empty(self, table: Table, piece: range) -> bool:
        """Whether nothing in a refused piece answers alone, as far as every sixteenth entry shows."""
        if len(piece) <= _STRIDE:
            return False
        first = -(-piece.start // _STRIDE) * _STRIDE
        for offset in sorted({piece.start, *range(first, piece.stop, _STRIDE)}):
            if await self._read(table, offset, 1) is not None:
                return False
        return True


def _plain(table: Table, payload: bytes, count: int) -> list[int | None]:
    if table.bits:
        return [int(bit) for bit in np.unpackbits(np.frombuffer(payload, np.uint8), bitorder="little")[:count]]
    return [int(value) for value in np.frombuffer(payload, ">u2")]
