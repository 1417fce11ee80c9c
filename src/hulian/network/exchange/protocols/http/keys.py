"""Idempotency keys: a repeated request is recognised for a while, also after a restart. No clock is read here.

The header is that of draft-ietf-httpapi-idempotency-key-header. What is remembered is a digest of the key, one of the
body, and the answer.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from hulian.network.exchange.protocols.http.errors import BusyKeyError, RepeatError

__all__ = ["Answered", "KeyWindow", "digest_of"]

PREFIX = "key:"


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """What was said to a request: its ``status`` and ``body``, when (UTC ns), and what it had held."""

    time: int
    digest: bytes
    status: int
    body: bytes = b""


def digest_of(*parts: bytes) -> bytes:
    """128 bits of what was sent."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.digest()


class KeyWindow:
    """At most ``most`` keys for at most ``seconds``: the oldest goes first."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._span = int(seconds * 1e9)
        self._known: OrderedDict[str, Answered] = OrderedDict()
        self._under_way: set[str] = set()

    def load(self, stored: Mapping[str, bytes]) -> None:
        """What an earlier life remembered."""
        found = [(name, msgspec.msgpack.decode(value, type=Answered)) for name, value in stored.items()]
        self._known = OrderedDict(sorted(found, key=lambda one: one[1].time))

    def begin(self, key: str, digest: bytes, now: int) -> Answered | None:
        """The answer to the same request before, or None: then `end` or `give_up` follows. Raises `RepeatError` where the key
        was used for another body, `BusyKeyError` where the first is still under way."""
        name = self._name(key)
        if name in self._under_way:
            # Also where its answer is known: it may not be stored yet.
            raise BusyKeyError("a request with this idempotency key is under way")
        known = self._known.get(name)
        if known is not None and now - known.time <= self._span:
            if known.digest != digest:
                raise RepeatError("this idempotency key was used for another body")
            return known
        self._under_way.add(name)
        return None

    def end(self, key: str, answered: Answered) -> dict[str, bytes | None]:
        """What is to be kept and forgotten once this request is answered so."""
        if not self._most:
            return {}
        name = self._name(key)
        changes: dict[str, bytes | None] = {name: msgspec.msgpack.encode(answered)}
        self._known[name] = answered
        self._known.move_to_end(name)
        while self._known:
            oldest, kept = next(iter(self._known.items()))
            if len(self._known) <= self._most and answered.time - kept.time <= self._span:
                break
            del self._known[oldest]
            changes[oldest] = None
        return changes

    def give_up(self, key: str, *, forget: bool) -> None:
        """The request is over; ``forget``: it was not stored after all, and may come again."""
        name = self._name(key)
        self._under_way.discard(name)
        if forget:
            self._known.pop(name, None)

    @staticmethod
    def _name(key: str) -> str:
        return PREFIX + digest_of(key.encode()).hex()
