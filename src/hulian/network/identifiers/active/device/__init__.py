"""A carrier's own library: it enrols, authenticates, reports and resolves by itself. Standard library only, from Python 3.9 on.

This folder needs nothing of Hulian beside it: copy it into a device's program under any name. `Carrier` is what a program
uses; `TcpLink`, `CoapLink` and `MqttLink` are the ways to the node; `Store` is where keys and contents are kept.

What pure Python cannot promise: its integers take a time that depends on their values. Signing is therefore blinded (scalars,
points and bases are multiplied by numbers that are never used twice) and its one-time numbers are derived (RFC 6979), which
hides what a clock at the other end of a network could tell. It does not withstand somebody who measures the current or the
radiation of the chip: there a secure element has to sign, behind the interface of `keys.PrivateKey`.
"""

from .carrier import Carrier, Receipt
from .coap import CoapLink
from .errors import (
    CarrierError,
    ContentsError,
    FormatError,
    LinkError,
    NotEnrolledError,
    OutboxFullError,
    RefusedError,
    StoreError,
)
from .keys import EcKey, PrivateKey, RsaKey, Sm2Key, generate, load_key
from .mqtt import MqttLink
from .store import Store
from .tcp import TcpLink

__all__ = [
    "Carrier",
    "CarrierError",
    "CoapLink",
    "ContentsError",
    "EcKey",
    "FormatError",
    "LinkError",
    "MqttLink",
    "NotEnrolledError",
    "OutboxFullError",
    "PrivateKey",
    "Receipt",
    "RefusedError",
    "RsaKey",
    "Sm2Key",
    "Store",
    "StoreError",
    "TcpLink",
    "generate",
    "load_key",
]
