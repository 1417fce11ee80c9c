"""Keys: RSA (PKCS#1 v1.5 with SHA-256), ECDSA on P-256 with SHA-256, SM2 with SM3; made, kept as PKCS#8, used.

One-time numbers of ECDSA and SM2 are derived from key and message (RFC 6979): a bad random source cannot give a key away. RSA
is blinded and goes by the Chinese remainder theorem; a signature is verified before anybody sees it, because one faulty half
would give the factors away.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from math import gcd
from typing import Protocol

from . import der
from .curves import P256, SM2, Curve, Point, is_on_curve, multiply, verify_point
from .errors import FormatError
from .primes import prime
from .sm3 import sm3

__all__ = ["EcKey", "PrivateKey", "RsaKey", "Sm2Key", "generate", "load_key", "verify"]

_RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_MOST_BITS = 8192


class PrivateKey(Protocol):
    """What a carrier signs with: a key in memory, or a secure element that keeps its own.

    ``digest`` is how the protocol calls the digest it signs with.
    """

    kind: str
    digest: str

    def sign(self, data: bytes, user: bytes) -> bytes:
        """The signature over ``data``; ``user`` is the identity that SM2 mixes in."""
        ...

    def public(self) -> bytes:
        """The public key as an HS_PUBKEY holds it."""
        ...

    def to_pem(self) -> bytes:
        """PKCS#8 without a password."""
        ...


def _text(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _bytes32(number: int) -> bytes:
    return number.to_bytes(32, "big")


def nonces(order: int, secret: int, digest: bytes) -> Iterator[int]:
    """One-time numbers for a digest of 32 bytes and a secret, the next one where one does not do (RFC 6979, section 3.2)."""
    seed = _bytes32(secret) + _bytes32(int.from_bytes(digest, "big") % order)
    v, k = b"\1" * 32, bytes(32)
    for mark in (b"\0", b"\1"):
        k = hmac.new(k, v + mark + seed, "sha256").digest()
        v = hmac.new(k, v, "sha256").digest()
    while True:
        v = hmac.new(k, v, "sha256").digest()
        found = int.from_bytes(v, "big")
        if 0 < found < order:
            yield found
        k = hmac.new(k, v + b"\0", "sha256").digest()
        v = hmac.new(k, v, "sha256").digest()


def _inverse(number: int, order: int) -> int:
    """The inverse of a secret, taken of a number that no one can tell."""
    blind = secrets.randbelow(order - 1) + 1
    return pow(number * blind % order, -1, order) * blind % order


class _OnCurve:
    """A private number of a curve, and its point."""

    curve: Curve

    def __init__(self, number: int) -> None:
        if not 0 < number < self.curve.n - 1:
            raise FormatError("a number that is no private key")
        self._number = number
        self.point = multiply(self.curve, number) or (0, 0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def to_pem(self) -> bytes:
        """PKCS#8 without a password."""
        point = der.tagged(0xA1, der.bits(_packed(self.point)))
        inner = der.sequence(der.integer(1), der.octets(_bytes32(self._number)), point)
        return der.to_pem("PRIVATE KEY", der.sequence(der.integer(0), self.curve.algorithm, der.octets(inner)))

    def _info(self) -> bytes:
        return der.to_pem("PUBLIC KEY", der.sequence(self.curve.algorithm, der.bits(_packed(self.point))))


class EcKey(_OnCurve):
    """ECDSA on P-256."""

    kind, digest, curve = "EC", "SHA-256", P256

    def sign(self, data: bytes, user: bytes = b"") -> bytes:
        """A signature in DER; ``user`` is not used."""
        n, digest = self.curve.n, hashlib.sha256(data).digest()
        e = int.from_bytes(digest, "big")
        for k in nonces(n, self._number, digest):
            point = multiply(self.curve, k)
            r = point[0] % n if point else 0
            blind = secrets.randbelow(n - 1) + 1  # the secret never stands in a sum by itself
            s = _inverse(k, n) * ((blind * e + blind * self._number % n * r) % n) % n * pow(blind, -1, n) % n
            if r and s:
                return der.sequence(der.integer(r), der.integer(s))
        raise FormatError("no signature")  # the iterator does not end

    def public(self) -> bytes:
        """As X.509 PEM, the way EC keys stand in an HS_PUBKEY."""
        return self._info()


class Sm2Key(_OnCurve):
    """SM2 with SM3 (GB/T 32918.2). What the protocol signs is the SM3 digest of the data, as the Chinese dialect does it."""

    kind, digest, curve = "SM2", "SM3", SM2

    def sign(self, data: bytes, user: bytes) -> bytes:
        """A signature in DER over the digest of ``data`` by ``user``."""
        return self.sign_message(sm3(data), user)

    def sign_message(self, message: bytes, user: bytes) -> bytes:
        """A signature in DER over ``message`` itself."""
        n, digest = self.curve.n, sm3(_z(self.point, user) + message)
        e = int.from_bytes(digest, "big")
        for k in nonces(n, self._number, digest):
            point = multiply(self.curve, k)
            r = (e + point[0]) % n if point else 0
            if not r or r + k == n:
                continue
            blind = secrets.randbelow(n - 1) + 1
            s = _inverse(1 + self._number, n) * ((blind * k - blind * self._number % n * r) % n) % n * pow(blind, -1, n) % n
            if s:
                return der.sequence(der.integer(r), der.integer(s))
        raise FormatError("no signature")  # the iterator does not end

    def public(self) -> bytes:
        """As PEM inside the Chinese binary form."""
        return _text(b"SM2_PUB_KEY") + b"\0\0" + _text(self._info())


class RsaKey:
    """RSA by its two primes."""

    kind, digest = "RSA", "SHA-256"

    def __init__(self, p: int, q: int, e: int = 65537) -> None:
        top = (p - 1) * (q - 1) // gcd(p - 1, q - 1)
        if p == q or min(p, q) < 3 or (p * q).bit_length() > _MOST_BITS or gcd(e, top) != 1:
            raise FormatError("numbers that are no RSA key")
        self._p, self._q, self.e, self.n = p, q, e, p * q
        self._d = pow(e, -1, top)
        self._dp, self._dq, self._inverse = self._d % (p - 1), self._d % (q - 1), pow(q, -1, p)

    def __repr__(self) -> str:
        return "RsaKey(…)"

    def sign(self, data: bytes, user: bytes = b"") -> bytes:
        """A signature of PKCS#1 v1.5; ``user`` is not used."""
        n, padded = self.n, int.from_bytes(_padded(data, (self.n.bit_length() + 7) // 8), "big")
        while True:
            blind = secrets.randbelow(n - 2) + 2
            if gcd(blind, n) == 1:
                break
        base = padded * pow(blind, self.e, n) % n
        at_p, at_q = pow(base, self._dp, self._p), pow(base, self._dq, self._q)
        found = (at_q + (at_p - at_q) * self._inverse % self._p * self._q) * pow(blind, -1, n) % n
        if pow(found, self.e, n) != padded:
            raise FormatError("a signature that came out wrong: the processor or the key is faulty")
        return found.to_bytes((n.bit_length() + 7) // 8, "big")

    def public(self) -> bytes:
        """In the Handle System's binary form."""
        parts = [_text(number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (self.e, self.n)]
        return _text(b"RSA_PUB_KEY") + b"\0\0" + b"".join(parts) + bytes(4)

    def to_pem(self) -> bytes:
        """PKCS#8 without a password."""
        numbers = (0, self.n, self.e, self._d, self._p, self._q, self._dp, self._dq, self._inverse)
        inner = der.sequence(*[der.integer(number) for number in numbers])
        return der.to_pem("PRIVATE KEY", der.sequence(der.integer(0), _RSA_ALGORITHM, der.octets(inner)))


def generate(kind: str, bits: int = 2048) -> PrivateKey:
    """A new key: ``EC``, ``SM2`` or ``RSA`` of ``bits``, which takes some seconds."""
    if kind == "EC":
        return EcKey(secrets.randbelow(P256.n - 2) + 1)
    if kind == "SM2":
        return Sm2Key(secrets.randbelow(SM2.n - 2) + 1)
    if kind != "RSA" or not 1024 <= bits <= _MOST_BITS or bits % 2:
        raise FormatError(f"no such kind of key: {kind} of {bits} bits")
    while True:
        p, q = prime(bits // 2), prime(bits // 2)
        if p != q and gcd(65537, (p - 1) * (q - 1)) == 1:
            return RsaKey(p, q)


def load_key(pem: bytes) -> PrivateKey:
    """The private key in PKCS#8 without a password. Raises `FormatError`."""
    label, content = der.from_pem(pem)
    if label != "PRIVATE KEY":
        raise FormatError("no private key in PKCS#8")
    outer = der.Walker(content).into()
    outer.number()
    algorithm = der.tagged(0x30, outer.expect(0x30))
    inner = der.Walker(outer.expect(0x04)).into()
    if algorithm == _RSA_ALGORITHM:
        numbers = [inner.number() for _ in range(6)]
        if max(numbers).bit_length() > _MOST_BITS or numbers[4] * numbers[5] != numbers[1]:
            raise FormatError("numbers that are no RSA key")
        return RsaKey(numbers[4], numbers[5], numbers[2])
    inner.number()
    number = int.from_bytes(inner.expect(0x04), "big")
    if algorithm == P256.algorithm:
        return EcKey(number)
    if algorithm == SM2.algorithm:
        return Sm2Key(number)
    raise FormatError("a kind of key that is not known")


def verify(public: bytes, signature: bytes, data: bytes, user: bytes) -> bool:
    """Whether ``signature`` is of ``public`` (SubjectPublicKeyInfo as PEM) over ``data``. Raises `FormatError` for no key."""
    label, content = der.from_pem(public)
    if label != "PUBLIC KEY":
        raise FormatError("no public key")
    info = der.Walker(content).into()
    algorithm = der.tagged(0x30, info.expect(0x30))
    key = info.expect(0x03)[1:]
    if algorithm == _RSA_ALGORITHM:
        numbers = der.Walker(key).into()
        n, e = numbers.number(), numbers.number()
        size = (n.bit_length() + 7) // 8
        if not 1024 <= n.bit_length() <= _MOST_BITS or not 3 <= e < 1 << 32:
            raise FormatError("numbers that are no RSA key")
        found = pow(int.from_bytes(signature, "big"), e, n).to_bytes(size, "big")
        return len(signature) == size and hmac.compare_digest(found, _padded(data, size))
    for curve in (P256, SM2):
        if algorithm == curve.algorithm:
            return _verify_curve(curve, key, signature, data, user)
    raise FormatError("a kind of key that is not known")


def _verify_curve(curve: Curve, key: bytes, signature: bytes, data: bytes, user: bytes) -> bool:
    point = (int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big"))
    if len(key) != 65 or key[0] != 4 or not is_on_curve(curve, point):
        raise FormatError("a point that is not on the curve")
    try:
        pair = der.Walker(signature).into()
        r, s = pair.number(), pair.number()
    except FormatError:
        return False
    n = curve.n
    if not (0 < r < n and 0 < s < n):
        return False
    if curve is SM2:
        t = (r + s) % n
        e = int.from_bytes(sm3(_z(point, user) + sm3(data)), "big")
        found = verify_point(curve, s, t, point) if t else None
        return found is not None and (e + found[0]) % n == r
    e, inverse = int.from_bytes(hashlib.sha256(data).digest(), "big"), pow(s, -1, n)
    found = verify_point(curve, e * inverse % n, r * inverse % n, point)
    return found is not None and found[0] % n == r


def _packed(point: Point) -> bytes:
    return b"\4" + _bytes32(point[0]) + _bytes32(point[1])


def _z(point: Point, user: bytes) -> bytes:
    """The digest of who signs, the curve and the key (GB/T 32918.2, section 5.5)."""
    numbers = (SM2.p - 3, SM2.b, SM2.g[0], SM2.g[1], point[0], point[1])
    return sm3((len(user) * 8).to_bytes(2, "big") + user + b"".join([_bytes32(number) for number in numbers]))


def _padded(data: bytes, size: int) -> bytes:
    """What a signature of PKCS#1 v1.5 covers (RFC 8017, section 9.2)."""
    info = _SHA256_INFO + hashlib.sha256(data).digest()
    return b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
