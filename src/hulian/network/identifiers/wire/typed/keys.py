"""HS_PUBKEY in its three forms: the Handle system's binary one, the Chinese binary one with PEM inside, and bare X.509 PEM.

What is read is kept as it was, so that packing it again gives the same bytes; the usable key is made on demand.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from hulian.network.identifiers.wire import fields, sm2
from hulian.network.identifiers.wire.errors import KeyFormatError, LimitError
from hulian.network.identifiers.wire.reader import Reader

__all__ = ["DhPublicKey", "PublicKey", "UsableKey"]

_FIELDS: Final = {
    "RSA_PUB_KEY": ("exponent", "modulus"),
    "DSA_PUB_KEY": ("q", "p", "g", "y"),
    "DH_PUB_KEY": ("y", "p", "g"),
}
_PEM_INSIDE: Final = frozenset(("SM2_PUB_KEY", "SM9_PUB_KEY"))
_MAX_KEY: Final = 16_384
_MAX_BITS: Final = 16_384


class DhPublicKey(msgspec.Struct, frozen=True):
    """The public number of one side of a Diffie-Hellman exchange, with the group. The library's own form is on its way out."""

    y: int
    p: int
    g: int


UsableKey: TypeAlias = rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey | sm2.PublicKey | DhPublicKey


class PublicKey(msgspec.Struct, frozen=True):
    """A public key as HS_PUBKEY holds it.

    ``kind`` is RSA_PUB_KEY, DSA_PUB_KEY, DH_PUB_KEY, SM2_PUB_KEY, SM9_PUB_KEY, or X509 for bare PEM. ``parts`` are the numbers
    as they stood (Java writes signed ones, hence leading zeros), or one PEM text. ``tail`` holds spare zero bytes behind them.
    """

    kind: str
    parts: tuple[bytes, ...]
    flags: int = 0
    tail: bytes = b""

    def pack(self) -> bytes:
        if self.kind == "X509":
            return self.parts[0]
        head = fields.text(self.kind) + fields.u16(self.flags)
        return head + b"".join([fields.binary(part, _MAX_KEY) for part in self.parts]) + self.tail

    @classmethod
    def unpack(cls, data: bytes) -> PublicKey:
        """Raises `KeyFormatError` for a kind that is not known, and the errors of `Reader`."""
        if len(data) > _MAX_KEY:
            raise LimitError(f"a key of {len(data)} bytes, where {_MAX_KEY} are accepted", place="an HS_PUBKEY", offset=0)
        if data.lstrip()[:11] == b"-----BEGIN ":
            return cls("X509", (data,))
        reader = Reader(data, "an HS_PUBKEY")
        kind, flags = reader.text(64), reader.u16()
        if kind in _FIELDS:
            parts = tuple([reader.binary() for _ in _FIELDS[kind]])
        elif kind in _PEM_INSIDE:
            parts = (reader.binary(),)
        else:
            reader.fail(KeyFormatError, "a kind of key that is not known", at=0)
        tail = reader.rest() if reader.left == 4 else b""
        reader.done()
        if tail != bytes(len(tail)):
            reader.fail(KeyFormatError, "bytes behind the key that are not zero", at=len(data) - 4)
        return cls(kind, parts, flags, tail)

    def usable(self) -> UsableKey:
        """The key to verify or agree with. Raises `KeyFormatError` where it is none, or is a kind that cannot be used (SM9)."""
        try:
            return self._usable()
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFormatError(f"the numbers are no key: {error}", place=f"an HS_PUBKEY of kind {self.kind}") from None

    def _usable(self) -> UsableKey:
        if self.kind in ("X509", "SM2_PUB_KEY"):
            return _from_pem(self.parts[0])
        numbers = [int.from_bytes(part, "big") for part in self.parts]
        if any(number.bit_length() > _MAX_BITS for number in numbers):
            raise KeyFormatError(f"a number of more than {_MAX_BITS} bits", place=f"an HS_PUBKEY of kind {self.kind}")
        if self.kind == "RSA_PUB_KEY":
            return rsa.RSAPublicNumbers(numbers[0], numbers[1]).public_key()
        if self.kind == "DSA_PUB_KEY":
            q, p, g, y = numbers
            return dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)).public_key()
        if self.kind == "DH_PUB_KEY":
            y, p, g = numbers
            return DhPublicKey(y, p, g)
        raise KeyFormatError(f"{self.kind} cannot be used here", place="an HS_PUBKEY")

    @classmethod
    def of(cls, key: UsableKey) -> PublicKey:
        """How ``key`` is written: RSA, DSA and DH in the binary form, EC as X.509 PEM, SM2 as PEM inside the binary form."""
        if isinstance(key, rsa.RSAPublicKey):
            numbers = key.public_numbers()
            return cls("RSA_PUB_KEY", (_signed(numbers.e), _signed(numbers.n)), tail=bytes(4))
        if isinstance(key, dsa.DSAPublicKey):
            public = key.public_numbers()
            group = public.parameter_numbers
            return cls("DSA_PUB_KEY", (_signed(group.q), _signed(group.p), _signed(group.g), _signed(public.y)))
        if isinstance(key, DhPublicKey):
            return cls("DH_PUB_KEY", (_signed(key.y), _signed(key.p), _signed(key.g)))
        if isinstance(key, sm2.PublicKey):
            return cls("SM2_PUB_KEY", (key.to_pem(),))
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return cls("X509", (pem,))


def _signed(number: int) -> bytes:
    """As Java writes a positive number: a leading zero where the first bit would be a sign."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _from_pem(pem: bytes) -> UsableKey:
    """A public key or the key of a certificate. SM2, which the library does not know, is looked for first."""
    if (found := sm2.PublicKey.from_pem(pem)) is not None:
        return found
    if b"CERTIFICATE" in pem[:64]:
        from cryptography import x509  # seldom needed, and a quarter of a second

        key = x509.load_pem_x509_certificate(pem).public_key()
    else:
        key = serialization.load_pem_public_key(pem)  # type: ignore[assignment]
    if isinstance(key, (rsa.RSAPublicKey, dsa.DSAPublicKey, ec.EllipticCurvePublicKey)):
        return key
    raise KeyFormatError("a kind of key that the protocol does not use", place="PEM")
