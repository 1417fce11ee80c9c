"""How a password is chosen, kept and proved (argon2id, RFC 9106)."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from typing import Annotated, Final

import msgspec
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from hulian.trust.errors import WeakPasswordError

__all__ = ["PasswordSettings", "Passwords", "random_password"]

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LONGEST: Final = 1024
_AT_ONCE: Final = 2
_GUESSED: Final = frozenset(
    {"password", "passw0rd", "hulian", "administrator", "admin", "welcome", "qwerty", "letmein", "changeme", "iloveyou"}
    | {"default", "secret", "industrial", "siemens", "123456", "abc123", "111111", "000000", "zxcvbn", "asdfgh"}
    | {"1q2w3e", "woaini", "5201314"}
)


class PasswordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a password costs us and an attacker, and how long it must be."""

    minimum_length: Annotated[int, msgspec.Meta(ge=8, le=128, description="shortest password in characters")] = 10
    memory_kib: Annotated[int, msgspec.Meta(ge=8192, le=1048576, description="memory of one argon2id hash in KiB")] = 65536
    passes: Annotated[int, msgspec.Meta(ge=1, le=20, description="passes of one argon2id hash")] = 3


class Passwords:
    """Makes and proves password hashes; at most two at once, so that a flood of logins does not take the memory."""

    def __init__(self, settings: PasswordSettings | None = None) -> None:
        self._settings = settings or PasswordSettings()
        self._hasher = PasswordHasher(
            time_cost=self._settings.passes, memory_cost=self._settings.memory_kib, parallelism=1, hash_len=32, type=Type.ID
        )
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._nobody = ""

    def check(self, password: str, *, user: str) -> None:
        """Raises `WeakPasswordError` for a password that is too short, is the user's name or is among the first guessed."""
        if len(password) < self._settings.minimum_length:
            raise WeakPasswordError(f"the password is shorter than {self._settings.minimum_length} characters")
        if len(password.encode("utf-8", "surrogatepass")) > _LONGEST:
            raise WeakPasswordError(f"the password is longer than {_LONGEST} bytes")
        plain = password.casefold()
        rest = plain.replace(user.casefold(), "")
        for word in sorted(_GUESSED, key=len, reverse=True):
            rest = rest.replace(word, "")
        if len(rest) <= self._settings.minimum_length // 2 and rest != plain:
            raise WeakPasswordError("the password is a name or a well-known one with a few characters more")
        if len(set(plain)) < 5:
            raise WeakPasswordError("the password repeats a few characters")

    def hash(self, password: str) -> str:
        """The argon2id hash with its salt and parameters."""
        with self._slots:
            return self._hasher.hash(_normal(password))

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether ``password`` is the one; takes as long for ``None``, a user that does not exist."""
        if not self._nobody:
            self._nobody = self.hash(random_password())
        with self._slots:
            try:
                right = self._hasher.verify(password_hash or self._nobody, _normal(password)[:_LONGEST])
            except (VerificationError, InvalidHashError):
                return False
        return right and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)


def random_password(length: int = 20) -> str:
    """A password of ``length`` characters without those that look alike (5.8 bits each)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _normal(password: str) -> str:
    """One form for what different keyboards send for the same characters (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
