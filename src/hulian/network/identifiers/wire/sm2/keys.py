"""SM2: keys, signatures and encryption (GB/T 32918.2 and .4, GM/T 0003 and 0009), with SM3 from the cryptography library."""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from cryptography.hazmat.primitives import hashes

from hulian.network.identifiers.wire.errors import KeyFormatError
from hulian.network.identifiers.wire.sm2 import der
from hulian.network.identifiers.wire.sm2.curve import A, Affine, B, G, N, P, double_multiply, is_on_curve, multiply

__all__ = ["DEFAULT_ID", "PrivateKey", "PublicKey", "sm3"]

DEFAULT_ID: Final = b"1234567812345678"
"""The identity that GM/T 0009 takes where none is agreed."""

_ALGORITHM: Final = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
"""AlgorithmIdentifier of an SM2 key: id-ecPublicKey with the curve 1.2.156.10197.1.301."""
_MAX_ID: Final = 8_191


def sm3(*parts: bytes) -> bytes:
    """The SM3 digest (GB/T 32905) of the parts, one after the other."""
    digest = hashes.Hash(hashes.SM3())
    for part in parts:
        digest.update(part)
    return digest.finalize()


def _bytes(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _derive(point: Affine, size: int) -> bytes:
    """The key stream of GB/T 32918.4, section 5.4.3."""
    seed = _bytes(point[0]) + _bytes(point[1])
    return b"".join([sm3(seed, counter.to_bytes(4, "big")) for counter in range(1, -(-size // 32) + 1)])[:size]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


class PublicKey:
    """A point of the curve. Construction proves that it is one: `KeyFormatError` otherwise."""

    __slots__ = ("point",)

    def __init__(self, point: Affine) -> None:
        if not is_on_curve(point):
            raise KeyFormatError("a point that is not on the curve", place="an SM2 public key")
        self.point = point

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.point == other.point

    def __hash__(self) -> int:
        return hash(self.point)

    def identity(self, user: bytes = DEFAULT_ID) -> bytes:
        """Z: the digest of who signs (``user``), the curve and the key (GB/T 32918.2, section 5.5)."""
        if len(user) > _MAX_ID:
            raise KeyFormatError(f"an identity of {len(user)} bytes, where {_MAX_ID} are possible", place="an SM2 signature")
        numbers = b"".join([_bytes(number) for number in (A, B, *G, *self.point)])
        return sm3((len(user) * 8).to_bytes(2, "big"), user, numbers)

    def verify(self, signature: bytes, message: bytes, user: bytes = DEFAULT_ID) -> bool:
        """Whether ``signature`` (DER, or r and s of 32 bytes each) is this key's over ``message`` as ``user``."""
        try:
            r, s = _read_signature(signature)
        except KeyFormatError:
            return False
        t = (r + s) % N
        if not (0 < r < N and 0 < s < N and t):
            return False
        digest = int.from_bytes(sm3(self.identity(user), message), "big")
        point = double_multiply(s, t, self.point)
        return point is not None and (digest + point[0]) % N == r

    def encrypt(self, plain: bytes) -> bytes:
        """The ciphertext as C1, C3, C2 in one (GB/T 32918.4), C1 uncompressed. ``plain`` must not be empty."""
        if not plain:
            raise KeyFormatError("nothing to encrypt", place="an SM2 encryption")
        while True:
            c1, c3, c2 = self._encrypted(plain, secrets.randbelow(N - 1) + 1)
            if c2 != plain:  # a key stream of zeros hides nothing (section 6.1, A5); short texts do meet it
                return c1 + c3 + c2

    def encrypt_der(self, plain: bytes) -> bytes:
        """The ciphertext in the DER of GM/T 0009, section 7.2, which other software takes."""
        raw = self.encrypt(plain)
        numbers = [der.integer(int.from_bytes(raw[at : at + 32], "big")) for at in (1, 33)]
        return der.sequence(*numbers, der.octets(raw[65:97]), der.octets(raw[97:]))

    def _encrypted(self, plain: bytes, k: int) -> tuple[bytes, bytes, bytes]:
        first, shared = multiply(k), multiply(k, self.point)
        if first is None or shared is None:
            raise KeyFormatError("the point at infinity", place="an SM2 encryption")
        c2 = _xor(plain, _derive(shared, len(plain)))
        return b"\4" + _bytes(first[0]) + _bytes(first[1]), sm3(_bytes(shared[0]), plain, _bytes(shared[1])), c2

    def to_bytes(self) -> bytes:
        """The point, uncompressed: 65 bytes."""
        return b"\4" + _bytes(self.point[0]) + _bytes(self.point[1])

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicKey:
        """From an uncompressed or compressed point."""
        if len(data) == 65 and data[0] == 4:
            return cls((int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big")))
        if len(data) == 33 and data[0] in (2, 3):
            x = int.from_bytes(data[1:], "big")
            y = pow((x * x * x + A * x + B) % P, (P + 1) // 4, P)
            return cls((x, y if y & 1 == data[0] & 1 else P - y))
        raise KeyFormatError(f"{len(data)} bytes that are no point", place="an SM2 public key")

    def to_pem(self) -> bytes:
        """SubjectPublicKeyInfo as PEM."""
        return der.to_pem("PUBLIC KEY", der.sequence(_ALGORITHM, der.bit_string(self.to_bytes())))

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey | None:
        """From SubjectPublicKeyInfo or a certificate; None where it holds a key of another kind."""
        label, data = der.from_pem(pem)
        walker = der.Walker(data, f"PEM of {label}")
        if label == "CERTIFICATE":
            body = walker.into().into()
            tag, _ = body.element()
            skipped = 5 if tag == 0xA0 else 4
            for _ in range(skipped):  # serial number, signature algorithm, issuer, validity, subject
                body.element()
            info = body.into()
        elif label == "PUBLIC KEY":
            info = walker.into()
            walker.done()
        else:
            return None
        if info.data[: len(_ALGORITHM)] != _ALGORITHM:
            return None
        info.element()
        content = info.expect(0x03)
        info.done()
        return cls.from_bytes(content[1:])


class PrivateKey:
    """A number from 1 to N - 2, never shown."""

    __slots__ = ("_number", "public")

    def __init__(self, number: int) -> None:
        if not 0 < number < N - 1:
            raise KeyFormatError("a number that is no private key", place="an SM2 private key")
        self._number = number
        self.public = PublicKey(multiply(number) or (0, 0))

    def __repr__(self) -> str:
        return "PrivateKey(…)"

    @classmethod
    def generate(cls) -> PrivateKey:
        return cls(secrets.randbelow(N - 2) + 1)

    def sign(self, message: bytes, user: bytes = DEFAULT_ID) -> bytes:
        """A signature over ``message`` as ``user``, in DER (GM/T 0009)."""
        digest = int.from_bytes(sm3(self.public.identity(user), message), "big")
        while True:
            if (pair := self._signed(digest, secrets.randbelow(N - 1) + 1)) is not None:
                return der.sequence(der.integer(pair[0]), der.integer(pair[1]))

    def _signed(self, digest: int, k: int) -> tuple[int, int] | None:
        """r and s for the one-time number ``k``; None where another is needed."""
        point = multiply(k)
        if point is None:
            return None
        r = (digest + point[0]) % N
        if not r or r + k == N:
            return None
        blind = secrets.randbelow(N - 1) + 1  # the inverse is taken of a number that no one can tell
        inverse = pow((1 + self._number) * blind, -1, N) * blind
        s = inverse * (k - r * self._number) % N
        return (r, s) if s else None

    def decrypt(self, cipher: bytes) -> bytes:
        """The plain text of C1, C3, C2 in one, or of the DER of GM/T 0009. Raises `KeyFormatError` where it is not ours."""
        if cipher[:1] == b"\4" and len(cipher) > 97:
            first, digest, body = PublicKey.from_bytes(cipher[:65]), cipher[65:97], cipher[97:]
        else:
            walker = der.Walker(cipher, "an SM2 ciphertext")
            inner = walker.into()
            walker.done()
            first = PublicKey((inner.number(), inner.number()))
            digest, body = inner.expect(0x04), inner.expect(0x04)
            inner.done()
        shared = multiply(self._number, first.point)
        if shared is None or not body:
            raise KeyFormatError("it does not open", place="an SM2 ciphertext")
        plain = _xor(body, _derive(shared, len(body)))
        if not hmac.compare_digest(sm3(_bytes(shared[0]), plain, _bytes(shared[1])), digest):
            raise KeyFormatError("it does not open", place="an SM2 ciphertext")
        return plain

    @classmethod
    def from_pem(cls, pem: bytes) -> PrivateKey:
        """From PKCS#8 without a password, or SEC 1. Raises `KeyFormatError`."""
        label, data = der.from_pem(pem)
        walker = der.Walker(data, f"PEM of {label}").into()
        if label == "PRIVATE KEY":
            walker.number()
            if der.tagged(0x30, walker.expect(0x30)) != _ALGORITHM:
                raise KeyFormatError("a key of another kind", place=f"PEM of {label}")
            walker = der.Walker(walker.expect(0x04), "an SM2 private key").into()
        elif label != "EC PRIVATE KEY":
            raise KeyFormatError("no private key", place=f"PEM of {label}")
        if walker.number() != 1:
            raise KeyFormatError("a form of key that is not known", place="an SM2 private key")
        return cls(int.from_bytes(walker.expect(0x04), "big"))

    def to_pem(self) -> bytes:
        """PKCS#8 without a password."""
        point = der.tagged(0xA1, der.bit_string(self.public.to_bytes()))
        inner = der.sequence(der.integer(1), der.octets(_bytes(self._number)), point)
        return der.to_pem("PRIVATE KEY", der.sequence(der.integer(0), _ALGORITHM, der.octets(inner)))


def _read_signature(signature: bytes) -> tuple[int, int]:
    if len(signature) == 64:
        return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    walker = der.Walker(signature, "an SM2 signature")
    inner = walker.into()
    walker.done()
    r, s = inner.number(), inner.number()
    inner.done()
    return r, s
