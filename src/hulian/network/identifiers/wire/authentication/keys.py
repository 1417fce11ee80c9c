"""Private keys from PEM, of every kind that proves who somebody is."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication.signers import PrivateKey
from hulian.network.identifiers.wire.errors import KeyFormatError, WireError

__all__ = ["load_private_key"]


def load_private_key(pem: bytes, place: str) -> tuple[PrivateKey, bool]:
    """The key in ``pem``, without a password, and whether it is a DSA key. Raises `KeyFormatError`, which names ``place``."""
    try:
        return sm2.PrivateKey.from_pem(pem), False
    except (WireError, ValueError):
        pass  # a key of the kinds that the library knows
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFormatError(f"no private key: {error}", place=place, hint="PEM without a password is read") from error
    if isinstance(key, rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key, isinstance(key, dsa.DSAPrivateKey)
    raise KeyFormatError("a kind of key that the protocol does not use", place=place, hint="RSA, DSA, EC or SM2")
