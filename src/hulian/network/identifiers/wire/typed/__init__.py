"""What the data of the standard types mean: HS_ADMIN, HS_SITE, HS_VLIST, HS_PUBKEY, HS_NAMESPACE, HS_CERT, HS_SIGNATURE …"""

from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import DhPublicKey, PublicKey, UsableKey
from hulian.network.identifiers.wire.typed.namespace import Element, Namespace
from hulian.network.identifiers.wire.typed.references import HandleText, ValueList
from hulian.network.identifiers.wire.typed.secret import SecretKey
from hulian.network.identifiers.wire.typed.site import Attribute, HashOption, Interface, Server, Site
from hulian.network.identifiers.wire.typed.values import SITE_TYPES, Typed, check, typed

__all__ = [
    "SITE_TYPES",
    "Admin",
    "Attribute",
    "DhPublicKey",
    "Element",
    "HandleText",
    "HashOption",
    "Interface",
    "Namespace",
    "PublicKey",
    "SecretKey",
    "Server",
    "Site",
    "Typed",
    "UsableKey",
    "ValueList",
    "check",
    "typed",
]
