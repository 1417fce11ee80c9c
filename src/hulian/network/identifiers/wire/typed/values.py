"""The typed form of a value's data, by its type: for whatever shows, checks or follows records."""

from __future__ import annotations

from typing import Final, TypeAlias

from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.trust.claims import (
    CertificateClaims,
    SignatureClaims,
    read_certificate,
    read_signature,
)
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.namespace import Namespace
from hulian.network.identifiers.wire.typed.references import HandleText, ValueList
from hulian.network.identifiers.wire.typed.secret import SecretKey
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["ADMIN_GROUP", "SITE_TYPES", "Typed", "check", "typed"]

Typed: TypeAlias = (
    Admin | CertificateClaims | HandleText | Namespace | PublicKey | SecretKey | SignatureClaims | Site | ValueList | None
)

SITE_TYPES: Final = frozenset(("HS_SITE", "HS_SITE.6", "HS_SITE.PREFIX", "HS_NA_DELEGATE"))
"""Types whose data is a site; HS_NA_DELEGATE is an older name of HS_SITE.PREFIX."""

ADMIN_GROUP: Final = "HS_VLIST"
_TEXTS: Final = frozenset(("HS_SERV", "HS_SERV.PREFIX", "HS_ALIAS"))


def typed(value: Value) -> Typed:
    """What ``value`` means; None for a type that no standard gives a form.

    Raises the named error of whatever is broken in its data. Claims of HS_CERT and HS_SIGNATURE are not verified here.
    """
    kind, data = value.type, value.data
    if kind == "HS_ADMIN":
        return Admin.unpack(data)
    if kind in SITE_TYPES:
        return Site.unpack(data)
    if kind in _TEXTS:
        return HandleText.unpack(data)
    if kind == ADMIN_GROUP:
        return ValueList.unpack(data)
    if kind == "HS_PUBKEY":
        return PublicKey.unpack(data)
    if kind == "HS_SECKEY":
        return SecretKey(data)
    if kind == "HS_NAMESPACE":
        return Namespace.unpack(data)
    if kind == "HS_CERT":
        return read_certificate(data)[0]
    if kind == "HS_SIGNATURE":
        return read_signature(data)[0]
    return None


def check(value: Value) -> WireError | None:
    """Why the data of ``value`` is not what its type promises; None where it is, or the type promises nothing."""
    try:
        typed(value)
    except WireError as error:
        return error
    return None
