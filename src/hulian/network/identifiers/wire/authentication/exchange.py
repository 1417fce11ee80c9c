"""How two sides come to the key of a session (opcodes 400 and 402): sealed to a public key, or agreed by Diffie-Hellman.

The sealed form is a 32-bit number of the algorithm that the key is for, and the key, encrypted with RSA (PKCS #1 v1.5) or SM2.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hulian.network.identifiers.wire import fields, sm2
from hulian.network.identifiers.wire.errors import KeyFormatError, SessionKeyError
from hulian.network.identifiers.wire.reader import Reader
from hulian.network.identifiers.wire.typed.keys import DhPublicKey, UsableKey

__all__ = ["AES", "DhExchange", "SessionKey", "open_session_key", "seal_session_key"]

AES: Final = 3
"""The number of the one cipher that is used here. 1 and 2 are DES and triple DES."""

_SMALLEST: Final = 16
_LARGEST: Final = 512
_GROUP_BITS: Final = (2_048, 8_192)
_MODP_2048: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
"""The 2048-bit group of RFC 3526, section 3, which needs no proof of being one. Its generator is 2."""


class SessionKey:
    """The key of a session, kept out of every text that is made of it; ``algorithm`` is the number that came with it."""

    __slots__ = ("_key", "algorithm")

    def __init__(self, key: bytes, algorithm: int = AES) -> None:
        if not _SMALLEST <= len(key) <= _LARGEST:
            raise SessionKeyError(f"a key of {len(key)} bytes", place="a session")
        self._key = key
        self.algorithm = algorithm

    def __repr__(self) -> str:
        return f"SessionKey(…, algorithm={self.algorithm})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SessionKey):
            return False
        return self.algorithm == other.algorithm and hmac.compare_digest(self._key, other._key)

    def __hash__(self) -> int:
        return hash(self.algorithm)

    def reveal(self) -> bytes:
        """The key itself: for codes and ciphers, and for nothing that is shown or logged."""
        return self._key

    @classmethod
    def generate(cls, algorithm: int = AES, size: int = 32) -> SessionKey:
        return cls(secrets.token_bytes(size), algorithm)


def seal_session_key(key: SessionKey, to: UsableKey) -> bytes:
    """``key`` encrypted so that only the holder of ``to`` opens it. Raises `SessionKeyError` where ``to`` cannot do that."""
    plain = fields.i32(key.algorithm) + key.reveal()
    if isinstance(to, sm2.PublicKey):
        return to.encrypt(plain)
    if isinstance(to, rsa.RSAPublicKey):
        if len(plain) > to.key_size // 8 - 11:
            raise SessionKeyError(f"an RSA key of {to.key_size} bits is too short for it", place="a session")
        return to.encrypt(plain, padding.PKCS1v15())
    raise SessionKeyError("a session key is sealed to RSA and SM2 keys only", place="a session")


def open_session_key(sealed: bytes, key: rsa.RSAPrivateKey | sm2.PrivateKey) -> SessionKey:
    """What `seal_session_key` made. Whatever is wrong with it is one and the same `SessionKeyError`."""
    try:
        plain = key.decrypt(sealed) if isinstance(key, sm2.PrivateKey) else key.decrypt(sealed, padding.PKCS1v15())
        reader = Reader(plain, "a session key")
        return SessionKey(key=_after(reader), algorithm=int.from_bytes(plain[:4], "big", signed=True))
    except (ValueError, KeyFormatError, SessionKeyError):
        raise SessionKeyError("it does not open", place="a session key") from None


def _after(reader: Reader) -> bytes:
    if reader.left < 4:
        raise SessionKeyError("it is too short", place="a session key")
    reader.skip(4)
    return reader.rest()


class DhExchange:
    """One side of a Diffie-Hellman exchange, good for one session.

    The side that asks chooses the group; the other takes the group of what it was sent. Groups of 2048 to 8192 bits are taken.
    """

    def __init__(self, p: int = _MODP_2048, g: int = 2) -> None:
        if not _GROUP_BITS[0] <= p.bit_length() <= _GROUP_BITS[1] or not p & 1 or not 1 < g < p - 1:
            raise SessionKeyError(f"a group of {p.bit_length()} bits that is not taken", place="a session")
        self._x = secrets.randbits(min(p.bit_length() - 1, 512)) | 1 << 400
        self.public = DhPublicKey(pow(g, self._x, p), p, g)

    def __repr__(self) -> str:
        return "DhExchange(…)"

    @classmethod
    def answering(cls, other: DhPublicKey) -> DhExchange:
        """The other side of an exchange that ``other`` began."""
        return cls(other.p, other.g)

    def shared(self, other: DhPublicKey) -> bytes:
        """The number that both sides know, as long as the group. Raises `SessionKeyError` for another group, or 0, 1 and -1."""
        if (other.p, other.g) != (self.public.p, self.public.g) or not 1 < other.y < other.p - 1:
            raise SessionKeyError("a number of another group, or one that gives the key away", place="a session")
        size = (other.p.bit_length() + 7) // 8
        return pow(other.y, self._x, other.p).to_bytes(size, "big")

    def session_key(self, other: DhPublicKey) -> SessionKey:
        """The key for AES and HS_MAC that both sides take from the number: its first 32 bytes behind any leading zeros."""
        number = self.shared(other)
        return SessionKey((number.lstrip(b"\0").rjust(32, b"\0"))[:32], AES)
