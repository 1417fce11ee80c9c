"""What the record of a carrier's identifier says: where its data are, what it is, its certificate and its key."""

from __future__ import annotations

from typing import Final

import msgspec

from hulian.network.identifiers.active.carriers import ENROLLED, ENROLLING, Carrier
from hulian.network.identifiers.active.contents import INDEX
from hulian.network.identifiers.wire.codes import Permission
from hulian.network.identifiers.wire.values import Value

__all__ = ["CARRIER_TYPE", "MASTER_TYPE", "PRIVATE", "is_of", "values_of"]

CARRIER_TYPE: Final = "HULIAN.CARRIER"
MASTER_TYPE: Final = "HULIAN.MASTER"
PRIVATE: Final = frozenset(("owner", "imei", "licence"))
"""Of the registration data, what administrators alone may read: whose a thing is and how it reaches the network."""

_DATA, _CARRIER, _CERTIFICATE, _MASTER = 1, 2, 3, 4
_TTL: Final = 300
"""A revoked carrier is believed by those who remember its record no longer than this."""


def values_of(known: Carrier, data_url: str, administrator: Value) -> list[Value]:
    """The values of the record, as the carrier stands now. One that is revoked keeps its name, and loses its key."""
    active = known.state in (ENROLLING, ENROLLED)
    public = {name: text for name, text in known.about.items() if name not in PRIVATE}
    told = {"state": "active" if active else "revoked", **public}
    private = {"serial": known.serial, **{name: text for name, text in known.about.items() if name in PRIVATE}}
    hidden = (Permission.ADMIN_READ | Permission.ADMIN_WRITE).value
    values = [
        Value(index=_CARRIER, type=CARRIER_TYPE, data=msgspec.json.encode(told), ttl=_TTL),
        Value(index=_MASTER, type=MASTER_TYPE, data=msgspec.json.encode(private), ttl=_TTL, permissions=hidden),
        administrator,
    ]
    if data_url:
        values.insert(0, Value(index=_DATA, type="HULIAN.DATA", data=data_url.encode(), ttl=_TTL))
    if active:
        values += [
            Value(index=_CERTIFICATE, type="HULIAN.CERTIFICATE", data=known.certificate.encode(), ttl=_TTL),
            Value(index=INDEX, type="HS_PUBKEY", data=known.key, ttl=_TTL),
        ]
    return values


def is_of(known: Carrier, values: list[Value]) -> bool:
    """Whether a record with ``values`` was made for this carrier."""
    for value in values:
        if value.type == MASTER_TYPE:
            try:
                found = msgspec.json.decode(value.data, type=dict[str, str])
            except (msgspec.DecodeError, UnicodeDecodeError):
                return False
            return found.get("serial") == known.serial
    return False
