"""What is reported of one identifier: its master record, as the national system lists it, out of what its record says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.active.record import CARRIER_TYPE, MASTER_TYPE
from hulian.network.identifiers.statistics.report import Entry, Product, Terminal
from hulian.network.identifiers.store import Change, What
from hulian.network.identifiers.store.kinds import RECORD
from hulian.network.identifiers.wire.values import Value, unpack_values

__all__ = ["OPERATIONS", "entry_of"]

OPERATIONS: Final = {What.CREATE: 1, What.DELETE: 2, What.UPDATE: 3}
_LONGEST: Final = 255
"""Characters of one field; what is longer is cut."""

_PRODUCT: Final = frozenset(Product.__struct_fields__)
_TERMINAL: Final = frozenset(Terminal.__struct_fields__)
_NAMED: Final = "PRODUCT."
_Fields = TypeVar("_Fields", Product, Terminal)


def entry_of(one: Change, packed: bytes | None, *, private: bool = False) -> Entry:
    """What is reported of the change ``one``, whose record has the values ``packed`` now (None: there is none).

    Values of the types ``product.type``, ``product.brand`` and so on say what the product is, as do ``brand``, ``name``,
    ``maker``, ``produced`` and ``expires``; of active identifiers the registration data of the carrier. Only what everybody
    may read is told, with ``private`` what administrators may read as well.
    """
    values = unpack_values(packed) if packed is not None and one.what is not What.DELETE else ()
    told = [value for value in values if value.public_read or (private and value.admin_read)]
    since = min((value.timestamp for value in values if value.timestamp > 0), default=0) * 10**9
    named = next((value.data for value in told if value.type == RECORD), b"")
    return Entry(
        handle=one.handle,
        operation=OPERATIONS[one.what],
        at=one.at,
        created=one.at if one.what is What.CREATE else since,
        metadata=_text(named),
        product=_some(Product, _product(told)),
        terminal=_some(Terminal, _terminal(told)),
    )


def _product(values: Iterable[Value]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name = value.type.upper()
        field = name.removeprefix(_NAMED).lower()
        if field in _PRODUCT and (name.startswith(_NAMED) or field != "type"):
            found.setdefault(field, _text(value.data))
    return found


def _terminal(values: Iterable[Value]) -> dict[str, str]:
    """Of a carrier's two values, of which the second is for administrators alone."""
    found: dict[str, str] = {}
    for value in values:
        if value.type not in (CARRIER_TYPE, MASTER_TYPE):
            continue
        try:
            about = msgspec.json.decode(value.data, type=dict[str, str])
        except UNREADABLE:
            continue
        for name, text in about.items():
            field = "type" if name == "terminal" else name
            if field in _TERMINAL:
                found.setdefault(field, text[:_LONGEST])
    return found


def _some(kind: type[_Fields], fields: dict[str, str]) -> _Fields | None:
    said = {name: text for name, text in fields.items() if text}
    return kind(**said) if said else None


def _text(data: bytes) -> str:
    return data[: 4 * _LONGEST].decode(errors="replace")[:_LONGEST]
