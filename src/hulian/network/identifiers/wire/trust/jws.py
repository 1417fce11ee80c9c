"""Compact JSON Web Signatures with RS256 (RFC 7515, RFC 7518 section 3.3), the only kind that HS_CERT and HS_SIGNATURE are."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.wire.errors import AlgorithmError, LimitError, SignatureError

__all__ = ["MAX_JWS", "Jwk", "Jws", "decode64", "encode64", "parse", "sign"]

MAX_JWS: Final = 262_144
_SMALLEST_KEY: Final = 2_048
_LARGEST_KEY: Final = 8_192


def encode64(data: bytes) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decode64(text: bytes, what: str) -> bytes:
    """Strict base64url without padding. Raises `SignatureError`."""
    try:
        found = base64.b64decode(text + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("not base64url", place=what) from None
    if encode64(found) != text:
        raise SignatureError("base64url that is not in its one form", place=what)
    return found


class _Header(msgspec.Struct, frozen=True):
    alg: str
    crit: tuple[str, ...] = ()


class Jwk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public key in JSON (RFC 7517). Java writes numbers with a leading zero byte; both forms are read."""

    kty: str
    n: str = ""
    e: str = ""

    def key(self) -> rsa.RSAPublicKey:
        """The RSA key of 2048 bits or more that this is. Raises `AlgorithmError` and `SignatureError`."""
        if self.kty != "RSA":
            raise AlgorithmError("a key that is not RSA", place="a JWK")
        modulus = int.from_bytes(decode64(self.n.encode()[:8_192], "n of a JWK"), "big")
        exponent = int.from_bytes(decode64(self.e.encode()[:64], "e of a JWK"), "big")
        if not _SMALLEST_KEY <= modulus.bit_length() <= _LARGEST_KEY or exponent.bit_length() > 64:
            raise AlgorithmError(f"an RSA key of {modulus.bit_length()} bits, where 2048 to 8192 are taken", place="a JWK")
        try:
            return rsa.RSAPublicNumbers(exponent, modulus).public_key()
        except ValueError:
            raise SignatureError("numbers that are no RSA key", place="a JWK") from None

    @classmethod
    def of(cls, key: rsa.RSAPublicKey) -> Jwk:
        numbers = key.public_numbers()
        return cls("RSA", _number64(numbers.n), _number64(numbers.e))


def _number64(number: int) -> str:
    return encode64(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


class Jws(msgspec.Struct, frozen=True):
    """What was signed, what it says, and the signature; nothing is believed before `verify`."""

    signed: bytes
    payload: bytes
    signature: bytes

    def verify(self, key: rsa.RSAPublicKey) -> bool:
        """Whether ``key`` signed it."""
        try:
            key.verify(self.signature, self.signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def parse(data: bytes) -> Jws:
    """Raises `LimitError`, `SignatureError` for what is no compact JWS, `AlgorithmError` for any algorithm but RS256."""
    if len(data) > MAX_JWS:
        raise LimitError(f"{len(data)} bytes, where {MAX_JWS} are accepted", place="a JWS", offset=0)
    parts = data.strip().split(b".")
    if len(parts) != 3:
        raise SignatureError(f"{len(parts)} parts, where a compact JWS has 3", place="a JWS")
    try:
        header = msgspec.json.decode(decode64(parts[0], "the header of a JWS"), type=_Header)
    except UNREADABLE:
        raise SignatureError("a header that cannot be read", place="a JWS") from None
    if header.alg != "RS256" or header.crit:
        raise AlgorithmError("an algorithm other than RS256, or an extension that must be understood", place="a JWS")
    return Jws(
        parts[0] + b"." + parts[1], decode64(parts[1], "the payload of a JWS"), decode64(parts[2], "the signature of a JWS")
    )


def sign(payload: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """``payload`` as a compact JWS with RS256."""
    signed = encode64(b'{"alg":"RS256"}') + b"." + encode64(payload)
    return signed + b"." + encode64(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
