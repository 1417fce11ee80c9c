"""People: names, roles, passwords."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import IntegrityError

from hulian.registry import Registry
from hulian.trust import tables
from hulian.trust.audit import Audit
from hulian.trust.errors import (
    AccountError,
    LastAdministratorError,
    LoginRefusedError,
    TakenNameError,
    UnknownAccountError,
    WeakPasswordError,
)
from hulian.trust.passwords import Passwords, random_password
from hulian.trust.principals import Action, Role
from hulian.trust.throttle import Throttle

__all__ = ["FIRST_USER", "User", "Users", "folded", "user_name"]

FIRST_USER: Final = "admin"

_NAME: Final = re.compile(r"[^\W_][\w.@-]{0,63}\Z")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person. Names are compared without regard to case; ``last_login`` is UTC ns, 0 for never."""

    name: str
    display: str
    role: Role
    disabled: bool
    must_change_password: bool
    created: int
    last_login: int


class Users:
    """The people of this installation. Every change is in the audit trail, in the same transaction."""

    def __init__(self, registry: Registry, audit: Audit, passwords: Passwords, throttle: Throttle) -> None:
        self._registry = registry
        self._audit = audit
        self._passwords = passwords
        self._throttle = throttle

    def bootstrap(self, *, must_change_password: bool = False) -> str | None:
        """Makes the administrator ``admin`` where there is no user at all, and returns the random password, this once."""
        with self._registry.read() as connection:
            if connection.execute(sa.select(sa.func.count()).select_from(tables.user)).scalar_one():
                return None
        password = random_password()
        password_hash = self._passwords.hash(password)
        with self._registry.write() as connection:
            if connection.execute(sa.select(sa.func.count()).select_from(tables.user)).scalar_one():
                return None
            self._insert(connection, FIRST_USER, "", Role.ADMINISTRATOR, password_hash, must_change_password)
            self._audit.within(connection, "system", Action.USERS_WRITE, f"user:{FIRST_USER}", details={"did": "first start"})
        return password

    def add(
        self, name: str, password: str, role: Role, *, display: str = "", must_change_password: bool = False, by: str = "system"
    ) -> User:
        """Raises `AccountError` for a name that cannot be one, `TakenNameError`, or `WeakPasswordError`."""
        name = user_name(name)
        self._passwords.check(password, user=name)
        password_hash = self._passwords.hash(password)
        with self._registry.write() as connection:
            try:
                self._insert(connection, name, display, Role(role), password_hash, must_change_password)
            except IntegrityError as error:
                raise TakenNameError(f"there is already a user '{name}'") from error
            self._audit.within(connection, by, Action.USERS_WRITE, f"user:{name}", details={"did": "added", "role": role})
            return self._require(connection, name)

    def get(self, name: str) -> User | None:
        """The user of this name, in any case; None where there is none."""
        with self._registry.read() as connection:
            row = connection.execute(sa.select(tables.user).where(tables.user.c.name == folded(name))).first()
            return _user(row) if row else None

    def list(self) -> list[User]:
        """Everybody, by name."""
        with self._registry.read() as connection:
            return [_user(row) for row in connection.execute(sa.select(tables.user).order_by(tables.user.c.name))]

    def change(
        self,
        name: str,
        *,
        role: Role | None = None,
        display: str | None = None,
        disabled: bool | None = None,
        must_change_password: bool | None = None,
        by: str = "system",
    ) -> User:
        """Changes what is given; who is disabled is logged out at once. Raises `LastAdministratorError`."""
        given = {"role": role, "display": display, "disabled": disabled, "must_change_password": must_change_password}
        values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        with self._registry.write() as connection:
            user = self._require(connection, name)
            if user.role is Role.ADMINISTRATOR and (disabled or (role is not None and role != Role.ADMINISTRATOR)):
                _keep_one_administrator(connection, user.name)
            if values:
                connection.execute(tables.user.update().where(tables.user.c.name == user.name).values(**values))
            if disabled:
                connection.execute(tables.session.delete().where(tables.session.c.user == user.name))
            self._audit.within(connection, by, Action.USERS_WRITE, f"user:{user.name}", details={"did": "changed", **values})
            return self._require(connection, user.name)

    def set_password(self, name: str, new: str, *, by: str, must_change: bool = True) -> None:
        """Replaces a forgotten password and ends every login of the user."""
        self._passwords.check(new, user=folded(name))
        password_hash = self._passwords.hash(new)
        with self._registry.write() as connection:
            user = self._require(connection, name)
            self._replace(connection, user.name, password_hash, must_change, keep=None)
            self._audit.within(connection, by, Action.USERS_WRITE, f"user:{user.name}", details={"did": "password set"})
        self._throttle.forget_user(user.name)

    def change_password(self, name: str, old: str, new: str, *, source: str = "", keep: bytes | None = None) -> None:
        """A person changes their own password; other logins end (``keep`` is the digest of the one that stays).

        The old password is guarded as a login is: raises `LoginRefusedError`, `LoginThrottledError`, `WeakPasswordError`.
        """
        name = folded(name)
        self._throttle.reserve(name, source)
        with self._registry.read() as connection:
            row = connection.execute(sa.select(tables.user).where(tables.user.c.name == name)).first()
        if not self._passwords.verify(row.password_hash if row and not row.disabled else None, old):
            self._audit.record(
                name, Action.SESSIONS_WRITE, f"user:{name}", "failed", source=source, details={"did": "password"}
            )
            raise LoginRefusedError("the old password is wrong", hint="ask an administrator for a new one if it is lost")
        self._throttle.succeeded(name, source)
        if old == new:
            raise WeakPasswordError("the new password is the old one")
        self._passwords.check(new, user=name)
        password_hash = self._passwords.hash(new)
        with self._registry.write() as connection:
            self._replace(connection, name, password_hash, must_change=False, keep=keep)
            self._audit.within(
                connection, name, Action.SESSIONS_WRITE, f"user:{name}", source=source, details={"did": "password changed"}
            )

    def remove(self, name: str, *, by: str) -> None:
        """Removes the user with all logins and tokens. Raises `LastAdministratorError`."""
        with self._registry.write() as connection:
            user = self._require(connection, name)
            if user.role is Role.ADMINISTRATOR:
                _keep_one_administrator(connection, user.name)
            connection.execute(tables.user.delete().where(tables.user.c.name == user.name))
            self._audit.within(connection, by, Action.USERS_WRITE, f"user:{user.name}", details={"did": "removed"})

    def _insert(
        self, connection: Connection, name: str, display: str, role: Role, password_hash: str, must_change: bool
    ) -> None:
        connection.execute(
            tables.user.insert().values(
                name=name,
                display=display,
                role=role.value,
                password_hash=password_hash,
                must_change_password=must_change,
                disabled=False,
                created=time.time_ns(),
                last_login=0,
            )
        )

    def _replace(self, connection: Connection, name: str, password_hash: str, must_change: bool, keep: bytes | None) -> None:
        connection.execute(
            tables.user.update()
            .where(tables.user.c.name == name)
            .values(password_hash=password_hash, must_change_password=must_change)
        )
        ended = tables.session.delete().where(tables.session.c.user == name)
        connection.execute(ended if keep is None else ended.where(tables.session.c.digest != keep))

    @staticmethod
    def _require(connection: Connection, name: str) -> User:
        row = connection.execute(sa.select(tables.user).where(tables.user.c.name == folded(name))).first()
        if row is None:
            raise UnknownAccountError(f"there is no user '{name}'")
        return _user(row)


def user_name(text: str) -> str:
    """The form in which a user's name is kept. Raises `AccountError` where it cannot be one."""
    name = folded(text)
    if not _NAME.match(name):
        raise AccountError(
            f"{text[:80]!r} cannot be a user's name",
            hint="letters, digits, '_', '.', '@' and '-', at most 64, a letter or digit first",
        )
    return name


def folded(name: str) -> str:
    """The form in which user names are compared: one for every case and every keyboard."""
    return unicodedata.normalize("NFKC", name).strip().casefold().encode("utf-8", "replace").decode().replace("\0", "?")


def _keep_one_administrator(connection: Connection, name: str) -> None:
    others = connection.execute(
        sa.select(sa.func.count())
        .select_from(tables.user)
        .where(tables.user.c.role == Role.ADMINISTRATOR.value, ~tables.user.c.disabled, tables.user.c.name != name)
    ).scalar_one()
    if not others:
        raise LastAdministratorError(f"'{name}' is the last administrator")


def _user(row: Row[Any]) -> User:
    return User(
        name=row.name,
        display=row.display,
        role=Role(row.role),
        disabled=row.disabled,
        must_change_password=row.must_change_password,
        created=row.created,
        last_login=row.last_login,
    )
