"""Carriers before their first power-up: what the factory writes into each, and what the enterprise node knows of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hulian.network.identifiers.active.carriers import Carriers, Reserved
from hulian.network.identifiers.active.certificates import CarrierAuthority
from hulian.network.identifiers.active.device.carrier import provisioned
from hulian.network.identifiers.active.device.errors import StoreError
from hulian.network.identifiers.active.device.store import Store
from hulian.network.identifiers.active.errors import ProvisionError
from hulian.network.identifiers.active.messages import MAX_SERIAL

__all__ = ["ABOUT", "Factory", "read_list"]

ABOUT: Final = ("terminal", "owner", "purpose", "imei", "licence", "brand", "model")
"""Registration data that may stand beside a serial number."""

_MOST: Final = 10_000
_LONGEST: Final = 255
_LARGEST: Final = 16 << 20


def read_list(content: bytes, reservation: str = "") -> list[Reserved]:
    """The carriers of a CSV file: columns ``serial``, ``reservation`` (or the one that is given), and any of `ABOUT`.

    The full identifier will be the reservation with the serial number behind it. Raises `ProvisionError` with the line.
    """
    if len(content) > _LARGEST:
        raise ProvisionError(f"a list of {len(content)} bytes, where {_LARGEST} are read")
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        columns = set(reader.fieldnames or ())
        if unknown := columns - {"serial", "reservation", *ABOUT}:
            raise ProvisionError(f"columns that are not known: {', '.join(sorted(map(str, unknown)))}", place="line 1")
        if "serial" not in columns or not (reservation or "reservation" in columns):
            raise ProvisionError("the columns serial and reservation are needed", place="line 1")
        return list(_rows(reader, reservation))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ProvisionError(f"no CSV in UTF-8: {error}") from error


def _rows(reader: csv.DictReader[str], reservation: str) -> Iterator[Reserved]:
    seen: dict[str, int] = {}
    for number, row in enumerate(reader, 1):
        place = f"line {reader.line_num}"
        if number > _MOST:
            raise ProvisionError(f"more than {_MOST} carriers", place=place, hint="provision them in parts")
        if None in row or None in row.values():
            raise ProvisionError("another number of columns than in the first line", place=place)
        serial, above = row["serial"].strip(), (row.get("reservation") or reservation).strip()
        if not serial.isprintable() or "/" in serial or not 0 < len(serial.encode()) <= MAX_SERIAL:
            raise ProvisionError("no serial number: it has 1 to 64 characters, and no slash", place=place)
        if serial in (".", "..") or "\\" in serial:
            raise ProvisionError("a serial number that is no name of a folder", place=place)
        prefix, slash, _ = above.partition("/")
        if not prefix or not slash or not above.isprintable() or len(above) > _LONGEST - MAX_SERIAL:
            raise ProvisionError(f"{above!r} reserves nothing: write a prefix, a slash and a beginning", place=place)
        if serial in seen:
            raise ProvisionError(f"the serial number {serial} stands in line {seen[serial]} too", place=place)
        seen[serial] = reader.line_num
        about = {name: row[name].strip() for name in ABOUT if row.get(name, "").strip()}
        if any(len(text) > _LONGEST for text in about.values()):
            raise ProvisionError(f"a text of more than {_LONGEST} characters", place=place)
        yield Reserved(serial=serial, reservation=above, about=about)


class Factory:
    """Makes carriers: their first key and certificate, the authority and the node that they are to believe.

    ``ca`` (PEM) verifies the node's TLS, ``trust`` are the keys (PEM) that may sign contents, ``node`` says where it is.
    """

    def __init__(
        self, carriers: Carriers, authority: CarrierAuthority, *, ca: str, trust: Sequence[str], node: str = ""
    ) -> None:
        self._carriers = carriers
        self._authority = authority
        self._ca, self._trust, self._node = ca, tuple(trust), node

    def make(self, wanted: Sequence[Reserved], directory: Path, passphrase: bytes = b"") -> list[Path]:
        """The folder of each new carrier below ``directory``.

        The files come first and the reservations, all in one transaction, last: after a cut the same call goes on where it
        was. Raises `ProvisionError`, and `StoreError` of the device library where a folder holds another carrier.
        """
        made, known = [], []
        for one in wanted:
            store = Store(directory / one.serial, passphrase)
            pem = self._there(store, one) or self._new(store, one)
            _, fingerprint = self._authority.check(pem, one.serial)
            known.append(msgspec.structs.replace(one, fingerprint=fingerprint, number=self._authority.number(pem)))
            made.append(store.directory)
        self._carriers.reserve(known)
        return made

    def _there(self, store: Store, one: Reserved) -> bytes:
        """The certificate of a carrier that an earlier run has written and not reserved."""
        if not (store.directory / "carrier.json").exists():
            return b""
        state = store.load()
        if state["serial"] != one.serial or state.get("reservation") != one.reservation or "contents" in state:
            raise StoreError(f"there is another carrier in {store.directory}")
        return str(state["bootstrap"]["certificate"]).encode()

    def _new(self, store: Store, one: Reserved) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._authority.issue(one.serial, key.public_key())
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
        provisioned(store, one.serial, one.reservation, self._ca, self._trust, pem, certificate.decode(), self._node)
        return certificate
