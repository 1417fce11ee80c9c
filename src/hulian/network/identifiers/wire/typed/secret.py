"""HS_SECKEY: a secret shared between a user and the servers of a handle. It is never shown."""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["SecretKey"]


class SecretKey:
    """The bytes of a secret, kept out of every text that is made of it."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "SecretKey(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretKey) and hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(SecretKey)

    def reveal(self) -> bytes:
        """The secret itself: for what proves it, and for nothing that is shown or logged."""
        return self._secret

    def pack(self) -> bytes:
        return self._secret

    @classmethod
    def hashed(cls, secret: bytes) -> SecretKey:
        """The other form that clients know: the SHA-1 digest of ``secret`` in lower-case hexadecimal."""
        return cls(hashlib.sha1(secret).hexdigest().encode())  # noqa: S324 - the form is given
