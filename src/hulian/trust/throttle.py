"""How often a password may be tried."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.registry import Registry
from hulian.trust import tables
from hulian.trust.errors import LoginThrottledError

__all__ = ["Throttle"]

_SECOND: Final = 1_000_000_000
_MEMORY: Final = 24 * 3600 * _SECOND
_ROWS: Final = 20_000


class _Rule(NamedTuple):
    free: int
    longest: int


_HERE: Final = _Rule(free=5, longest=300)  # one user from one source: a person who forgot
_SOURCE: Final = _Rule(free=20, longest=900)  # one source, any user: somebody who tries names
_USER: Final = _Rule(free=50, longest=60)  # one user from anywhere: many machines; short, so that it locks nobody out


class Throttle:
    """Counts failures per user, per source, and per pair of the two; past the free ones each doubles the time to wait.

    An attempt is counted before the password is looked at, so that a thousand at once are a thousand attempts. The keys are
    keyed hashes: a password that someone typed into the wrong field is in no table. Kept over restarts; forgotten a day
    after the last failure.
    """

    def __init__(self, registry: Registry, key: bytes, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._registry = registry
        self._key = key
        self._clock = clock

    def reserve(self, user: str, source: str) -> None:
        """Counts one attempt. Raises `LoginThrottledError` where it comes too early; that one is not counted."""
        now = self._clock()
        with self._registry.write() as connection:
            self._forget_old(connection, now)
            found = {row.key: row for row in connection.execute(sa.select(tables.attempt).where(self._any(user, source)))}
            wait = max((row.blocked_until - now for row in found.values()), default=0)
            if wait <= 0:
                for key, rule in self._keys(user, source):
                    failures = found[key].failures + 1 if key in found else 1
                    delay = 0 if failures < rule.free else min(2 ** min(failures - rule.free, 30), rule.longest)
                    values = {"failures": failures, "last": now, "blocked_until": now + delay * _SECOND}
                    if key in found:
                        connection.execute(tables.attempt.update().where(tables.attempt.c.key == key).values(**values))
                    else:
                        connection.execute(tables.attempt.insert().values(key=key, **values))
        if wait > 0:
            raise LoginThrottledError("too many logins failed", retry_after=max(1.0, wait / _SECOND))

    def succeeded(self, user: str, source: str) -> None:
        """Takes the attempt back. The source keeps its other failures, so that one known password does not open a hundred."""
        (here, _), (of_source, rule), (of_user, _) = self._keys(user, source)
        with self._registry.write() as connection:
            connection.execute(tables.attempt.delete().where(tables.attempt.c.key.in_([here, of_user])))
            left = tables.attempt.c.failures - 1
            connection.execute(
                tables.attempt.update()
                .where(tables.attempt.c.key == of_source)
                .values(failures=left, blocked_until=sa.case((left < rule.free, 0), else_=tables.attempt.c.blocked_until))
            )

    def forget_user(self, user: str) -> None:
        """Lets the user try again from anywhere: an administrator has just set a new password."""
        with self._registry.write() as connection:
            connection.execute(tables.attempt.delete().where(tables.attempt.c.key == self._digest("user", user)))

    def _keys(self, user: str, source: str) -> list[tuple[bytes, _Rule]]:
        network = _network(source)
        return [
            (self._digest("pair", user, network), _HERE),
            (self._digest("source", network), _SOURCE),
            (self._digest("user", user), _USER),
        ]

    def _any(self, user: str, source: str) -> sa.ColumnElement[bool]:
        return tables.attempt.c.key.in_([key for key, _ in self._keys(user, source)])

    def _digest(self, *parts: str) -> bytes:
        return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), key=self._key, digest_size=16).digest()

    @staticmethod
    def _forget_old(connection: Connection, now: int) -> None:
        connection.execute(tables.attempt.delete().where(tables.attempt.c.last < now - _MEMORY))
        count = connection.execute(sa.select(sa.func.count()).select_from(tables.attempt)).scalar_one()
        if count > _ROWS:
            oldest = sa.select(tables.attempt.c.key).order_by(tables.attempt.c.last).limit(count - _ROWS)
            connection.execute(tables.attempt.delete().where(tables.attempt.c.key.in_(oldest)))


def _network(source: str) -> str:
    """A person behind IPv6 has a whole /64: it counts as one source."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
