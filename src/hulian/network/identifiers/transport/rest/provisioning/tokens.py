"""What proves an asker after the login: random tokens that the node remembers, and JSON Web Tokens that its key has signed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.transport.rest.contract import Signing
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.trust import jws
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Claims", "JsonWebTokens", "Nonces", "Tokens", "bearer"]

_MOST: Final = 10_000
_LONGEST: Final = 4_096


def bearer(header: str) -> str:
    """The token in an Authorization header; empty where there is none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and len(header) <= _LONGEST else ""


class Held(msgspec.Struct, frozen=True):
    """Who holds a token: ``name`` is what they logged in as, ``stamp`` changes with their password or key."""

    who: Reference
    name: str
    stamp: bytes


class Tokens:
    """Tokens of 24 hours, by their digest: at most 10,000, 100 of one name, whose oldest is then forgotten.

    They end with the process. Where all places are taken by others, the one that was given first ends.
    """

    SECONDS: Final = 86_400.0
    MOST_OF_A_NAME: Final = 100

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: OrderedDict[bytes, tuple[float, Held]] = OrderedDict()
        self._of: dict[str, OrderedDict[bytes, None]] = {}

    def give(self, held: Held) -> str:
        """A new token for ``held``."""
        token = secrets.token_urlsafe(32)
        key = _digest(token)
        own = self._of.setdefault(held.name, OrderedDict())
        if len(own) >= self.MOST_OF_A_NAME:
            self._end(next(iter(own)))
        elif len(self._held) >= _MOST:
            self._end(next(iter(self._held)))
        self._of.setdefault(held.name, own)[key] = None
        self._held[key] = (self._clock() + self.SECONDS, held)
        return token

    def find(self, token: str) -> Held | None:
        """Whose ``token`` is, while it lives."""
        key = _digest(token)
        until, held = self._held.get(key, (0.0, None))
        if held is not None and until <= self._clock():
            self._end(key)
            return None
        return held

    def end(self, token: str) -> None:
        """It is good for nothing any more."""
        self._end(_digest(token))

    def _end(self, key: bytes) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            own = self._of[found[1].name]
            own.pop(key, None)
            if not own:
                del self._of[found[1].name]


class Nonces:
    """Challenges, each for one handle and one network that asked for it: used once, for 60 s.

    At most 10,000 wait, 64 of one network, 8 of one handle from there, whose oldest is then forgotten: nobody can push out a
    challenge that another network waits with. A new one is refused (empty) where there is no room.
    """

    SECONDS: Final = 60.0
    MOST_OF_A_NETWORK: Final = 64
    MOST_OF_A_HANDLE: Final = 8

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: OrderedDict[tuple[bytes, str], list[tuple[float, str]]] = OrderedDict()
        self._of: dict[str, int] = {}
        self._count = 0

    def give(self, handle: bytes, network: str) -> str:
        """A new nonce."""
        self._tidy()
        there = self._waiting.get((handle, network), [])
        if len(there) >= self.MOST_OF_A_HANDLE:
            there.pop(0)
            self._took(network, 1)
        if self._count >= _MOST or self._of.get(network, 0) >= self.MOST_OF_A_NETWORK:
            return ""
        nonce = secrets.token_hex(16)
        there.append((self._clock() + self.SECONDS, nonce))
        self._waiting[(handle, network)] = there
        self._waiting.move_to_end((handle, network))
        self._of[network] = self._of.get(network, 0) + 1
        self._count += 1
        return nonce

    def take(self, handle: bytes, network: str) -> list[str]:
        """The nonces that wait for ``handle`` there; whatever comes of it, none of them is good a second time."""
        found = self._waiting.pop((handle, network), [])
        self._took(network, len(found))
        return [nonce for until, nonce in found if until > self._clock()]

    def _tidy(self) -> None:
        """Forgets what is over: what was asked for least recently stands in front."""
        now = self._clock()
        while self._waiting:
            key, waiting = next(iter(self._waiting.items()))
            if waiting and waiting[-1][0] > now:
                return
            del self._waiting[key]
            self._took(key[1], len(waiting))

    def _took(self, network: str, count: int) -> None:
        self._count -= count
        left = self._of.get(network, 0) - count
        if left > 0:
            self._of[network] = left
        else:
            self._of.pop(network, None)


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token of this node says: ``sub`` is index:handle, ``key`` the fingerprint of the key that was proved."""

    iss: str
    aud: str
    sub: str
    key: str
    iat: int
    nbf: int
    exp: int
    jti: str


class JsonWebTokens:
    """Compact JWS with RS256 (RFC 7519), signed by the key of the node, for its own use alone: issuer and audience are it.

    They live for half an hour. What they prove is that ``sub`` has proved a key then: whether it is theirs still is asked at
    every use.
    """

    SECONDS: Final = 1_800
    _AUDIENCE: Final = "hulian:doip"
    _SKEW: Final = 5

    def __init__(self, signing: Signing, clock: Callable[[], float] = time.time) -> None:
        self._signing = signing
        self._clock = clock
        self._issuer = f"sha256:{hashlib.sha256(signing.packed).hexdigest()}"

    def give(self, who: Reference, key: str) -> str:
        """A token for ``who``, who has proved the key with the fingerprint ``key``."""
        now = int(self._clock())
        claims = Claims(
            iss=self._issuer,
            aud=self._AUDIENCE,
            sub=str(who),
            key=key,
            iat=now,
            nbf=now,
            exp=now + self.SECONDS,
            jti=secrets.token_hex(8),
        )
        signed = jws.encode64(b'{"alg":"RS256","typ":"JWT"}') + b"." + jws.encode64(msgspec.json.encode(claims))
        signature = self._signing.signer.sign(signed, "SHA-256", b"")
        return (signed + b"." + jws.encode64(signature)).decode()

    def find(self, token: str) -> Claims | None:
        """What ``token`` says, where this node has signed it for itself and it lives."""
        try:
            found = jws.parse(token.encode())
            if not found.verify(self._signing.public):
                return None
            claims = msgspec.json.decode(found.payload, type=Claims)
        except (WireError, *UNREADABLE):
            return None
        now = self._clock()
        meant = hmac.compare_digest(claims.iss, self._issuer) and claims.aud == self._AUDIENCE
        alive = claims.nbf - self._SKEW <= now < claims.exp and claims.exp - claims.iat <= self.SECONDS
        return claims if meant and alive else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
