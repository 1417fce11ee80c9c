"""The contents of a carrier: what its node has written into it. Signed, versioned, for one serial number.

A document is JSON: ``serial``, ``version`` (grows), ``identifier``, ``index`` (of the key in the record), ``certificate``
(PEM), ``settings`` (any JSON object of the operator), ``trust`` (public keys, PEM, that may sign the next), ``revoked``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .bodies import SignedContents
from .errors import ContentsError, FormatError
from .keys import verify

__all__ = ["Contents", "check_receipt", "check_session", "open_contents"]

_CONTENTS = b"hulian active contents 1\0"
_RECEIPT = b"hulian active receipt 1\0"
USER = b"hulian active node"
"""The identity of the node in signatures by SM2."""


class Contents(NamedTuple):
    """Contents that were verified."""

    serial: str
    version: int
    identifier: str
    key_index: int
    certificate: str
    settings: Mapping[str, Any]
    trust: Sequence[str]
    revoked: bool
    document: bytes
    signature: bytes


def open_contents(signed: SignedContents, trust: Sequence[str], serial: str) -> Contents:
    """What is signed by one of the keys in ``trust``, for the carrier ``serial``. Raises `ContentsError`."""
    if not _signed(trust, signed.signature, _CONTENTS + signed.document):
        raise ContentsError("the contents are not signed by a key that this carrier trusts")
    try:
        found = json.loads(signed.document.decode())
        wanted = (
            ("serial", str),
            ("version", int),
            ("identifier", str),
            ("index", int),
            ("certificate", str),
            ("settings", dict),
            ("trust", list),
            ("revoked", bool),
        )
        for name, kind in wanted:
            if not isinstance(found[name], kind):
                raise ContentsError(f"the contents have no sound {name!r}")
        contents = Contents(
            serial=found["serial"],
            version=found["version"],
            identifier=found["identifier"],
            key_index=found["index"],
            certificate=found["certificate"],
            settings=found["settings"],
            trust=found["trust"],
            revoked=found["revoked"],
            document=signed.document,
            signature=signed.signature,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ContentsError("the contents cannot be read") from error
    if contents.serial != serial:
        raise ContentsError("the contents are for another carrier")
    if not contents.trust or not all(isinstance(key, str) for key in contents.trust):
        raise ContentsError("the contents name nobody who may sign the next ones")
    return contents


def check_receipt(trust: Sequence[str], signature: bytes, answer: bytes) -> None:
    """Raises `ContentsError` unless ``signature`` is a trusted key's over ``answer``."""
    if not _signed(trust, signature, _RECEIPT + answer):
        raise ContentsError("the receipt is not signed by a key that this carrier trusts")


def check_session(trust: Sequence[str], signature: bytes, covered: bytes) -> None:
    """Raises `ContentsError` unless ``signature`` is a trusted key's over ``covered``, as `session.covered` gives it."""
    if not _signed(trust, signature, covered):
        raise ContentsError("the session is not signed by a key that this carrier trusts")


def _signed(trust: Sequence[str], signature: bytes, data: bytes) -> bool:
    for key in trust:
        try:
            if verify(key.encode(), signature, data, USER):
                return True
        except FormatError:
            continue
    return False
