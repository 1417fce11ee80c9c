"""Logins of the second-level interface: a name and a password for an identity, kept as argon2id hashes."""

from __future__ import annotations

import re
import time
from typing import Final

import msgspec
import sqlalchemy as sa

from hulian.network.identifiers.provisioning.errors import LoginNameError
from hulian.network.identifiers.provisioning.tables import login
from hulian.network.identifiers.wire.limits import MAX_HANDLE
from hulian.network.identifiers.wire.values import Reference
from hulian.registry import Registry
from hulian.trust.passwords import Passwords

__all__ = ["Login", "Logins"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,49}")
_MOST: Final = 10_000


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """``name`` acts as ``who``. ``changed`` (UTC ns) is when its password was set."""

    name: str
    who: Reference
    password_hash: str
    changed: int


class Logins:
    """The logins of one registry. Thread-safe; every method may block, and `verify` takes the time of an argon2id hash.

    The password itself, or anything that would do in its place, is kept nowhere: who reads the database cannot log in.
    """

    def __init__(self, registry: Registry, passwords: Passwords | None = None) -> None:
        self._registry = registry
        self._passwords = passwords or Passwords()

    def set(self, name: str, who: Reference, password: str) -> None:
        """A new login, or another password and identity for one that is there.

        Raises `LoginNameError`, and `hulian.trust.errors.WeakPasswordError`.
        """
        if not _NAME.fullmatch(name):
            raise LoginNameError(f"'{name[:60]}' is no name of a login", hint="up to 50 letters, digits and . _ @ -")
        if "/" not in who.handle or not 0 < who.index <= 0x7FFFFFFF or len(str(who).encode()) > MAX_HANDLE:
            raise LoginNameError(f"'{who}' is no identity", hint="index:handle of a key, e.g. 300:88.111.1/ADMIN")
        self._passwords.check(password, user=name)
        row = {"name": name, "who": str(who), "hash": self._passwords.hash(password), "changed": time.time_ns()}
        with self._registry.write() as connection:
            if connection.execute(sa.delete(login).where(login.c.name == name)).rowcount == 0:
                count = connection.execute(sa.select(sa.func.count()).select_from(login)).scalar_one()
                if count >= _MOST:
                    raise LoginNameError(f"there are {count} logins already")
            connection.execute(sa.insert(login).values(**row))

    def remove(self, name: str) -> bool:
        """Whether there was one. Its tokens end with it."""
        with self._registry.write() as connection:
            return connection.execute(sa.delete(login).where(login.c.name == name)).rowcount > 0

    def find(self, name: str) -> Login | None:
        """The login of that name."""
        with self._registry.read() as connection:
            row = connection.execute(sa.select(login).where(login.c.name == name)).first()
        if row is None:
            return None
        return Login(name=row.name, who=Reference.parse(row.who), password_hash=row.hash, changed=row.changed)

    def all(self) -> list[Login]:
        """Every login, by name."""
        with self._registry.read() as connection:
            names = [row.name for row in connection.execute(sa.select(login.c.name).order_by(login.c.name))]
        return [found for name in names if (found := self.find(name)) is not None]

    def verify(self, name: str, password: str) -> Login | None:
        """The login whose password it is; it takes as long where there is none of that name."""
        found = self.find(name)
        right = self._passwords.verify(None if found is None else found.password_hash, password)
        return found if right else None
