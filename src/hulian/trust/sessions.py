"""Logins of people: a random cookie here, its hash there."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Row

from hulian.registry import Registry
from hulian.trust import tables
from hulian.trust.audit import Audit
from hulian.trust.errors import CsrfError, LoginRefusedError
from hulian.trust.passwords import Passwords
from hulian.trust.principals import ROLE_SCOPES, Action, Principal, PrincipalKind, Role
from hulian.trust.throttle import Throttle
from hulian.trust.users import User, Users, folded

__all__ = ["Login", "SessionSettings", "Sessions"]

_SECOND: Final = 1_000_000_000
_SEEN_EVERY: Final = 60 * _SECOND
_PER_USER: Final = 50


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a login lasts."""

    idle_hours: Annotated[float, msgspec.Meta(gt=0, description="a login ends after so many hours without a request")] = 12.0
    longest_hours: Annotated[float, msgspec.Meta(gt=0, description="a login ends after so many hours in any case")] = 168.0


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login that has just begun. ``token`` goes into the cookie, ``csrf`` to the page; neither is kept here."""

    token: str
    csrf: str
    principal: Principal
    user: User
    expires: int

    def __repr__(self) -> str:
        return f"Login(user={self.user.name!r}, expires={self.expires})"


class Sessions:
    """Begins, finds and ends logins. The table holds a hash of each token: who reads it can log in as nobody."""

    def __init__(
        self,
        registry: Registry,
        audit: Audit,
        passwords: Passwords,
        throttle: Throttle,
        users: Users,
        settings: SessionSettings | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._registry = registry
        self._audit = audit
        self._passwords = passwords
        self._throttle = throttle
        self._users = users
        settings = settings or SessionSettings()
        self._idle = int(settings.idle_hours * 3600 * _SECOND)
        self._longest = int(settings.longest_hours * 3600 * _SECOND)
        self._clock = clock

    def login(self, user: str, password: str, *, source: str = "") -> Login:
        """Begins a login. Raises `LoginRefusedError`, the same for every reason, or `LoginThrottledError`.

        An unknown user takes as long as a wrong password, and is not named in the trail: it may be a mistyped password.
        """
        name = folded(user)[:200]
        self._throttle.reserve(name, source)
        with self._registry.read() as connection:
            row = connection.execute(sa.select(tables.user).where(tables.user.c.name == name)).first()
        known = row.password_hash if row is not None and not row.disabled else None
        if not self._passwords.verify(known, password) or row is None:
            who = name if row is not None else "unknown"
            details = {"did": "login", "reason": "disabled" if row is not None and row.disabled else "refused"}
            self._audit.record(who, Action.SESSIONS_WRITE, f"user:{who}", "failed", source=source, details=details)
            raise LoginRefusedError("wrong user or password")
        self._throttle.succeeded(name, source)
        rehashed = self._passwords.hash(password) if self._passwords.outdated(row.password_hash) else row.password_hash
        return self._begin(row, rehashed, source)

    def resolve(self, token: str) -> Principal | None:
        """Who is behind the cookie; None where the login ended, was ended, or never was."""
        now = self._clock()
        query = (
            sa.select(tables.session, tables.user)
            .join(tables.user, tables.user.c.name == tables.session.c.user)
            .where(tables.session.c.digest == self.digest(token))
        )
        with self._registry.read() as connection:
            row = connection.execute(query).first()
        if row is None or row.disabled or now >= row.expires or now - row.seen >= self._idle:
            return None
        if now - row.seen > _SEEN_EVERY:
            with self._registry.write() as connection:
                connection.execute(tables.session.update().where(tables.session.c.digest == row.digest).values(seen=now))
        return _principal(row)

    @staticmethod
    def digest(token: str) -> bytes:
        """The form in which the registry knows a token."""
        return hashlib.sha256(token.encode("utf-8", "replace")).digest()

    @staticmethod
    def csrf(token: str) -> str:
        """The proof that a request comes from our page: derived from the cookie, which no foreign page can read."""
        return hmac.new(token.encode("utf-8", "replace"), b"hulian csrf", hashlib.sha256).hexdigest()

    def check_csrf(self, token: str, csrf: str | None) -> None:
        """Raises `CsrfError` unless ``csrf`` belongs to ``token``; takes as long for any wrong value."""
        if not hmac.compare_digest(self.csrf(token).encode(), (csrf or "").encode("utf-8", "replace")):
            raise CsrfError("the request does not come from a page of this platform")

    def end(self, token: str) -> None:
        """Logs out. A token that is unknown or ended is no error."""
        digest = self.digest(token)
        with self._registry.write() as connection:
            row = connection.execute(sa.select(tables.session).where(tables.session.c.digest == digest)).first()
            if row is not None:
                connection.execute(tables.session.delete().where(tables.session.c.digest == digest))
                self._audit.within(
                    connection,
                    row.user,
                    Action.SESSIONS_WRITE,
                    f"user:{row.user}",
                    source=row.source,
                    details={"did": "logout"},
                )

    def end_all(self, user: str, *, by: str = "system") -> int:
        """Ends every login of the user; how many there were."""
        name = folded(user)
        with self._registry.write() as connection:
            ended = connection.execute(tables.session.delete().where(tables.session.c.user == name)).rowcount
            self._audit.within(connection, by, Action.SESSIONS_WRITE, f"user:{name}", details={"did": "ended", "count": ended})
        return ended

    def _begin(self, row: Row[Any], password_hash: str, source: str) -> Login:
        token = secrets.token_urlsafe(32)
        now = self._clock()
        expires = now + self._longest
        with self._registry.write() as connection:
            connection.execute(
                tables.session.delete().where(
                    sa.or_(tables.session.c.expires <= now, tables.session.c.seen <= now - self._idle),
                )
            )
            oldest = (
                sa.select(tables.session.c.digest)
                .where(tables.session.c.user == row.name)
                .order_by(tables.session.c.seen.desc())
                .offset(_PER_USER - 1)
            )
            surplus = [digest for (digest,) in connection.execute(oldest)]
            if surplus:
                connection.execute(tables.session.delete().where(tables.session.c.digest.in_(surplus)))
            connection.execute(
                tables.session.insert().values(
                    digest=self.digest(token), user=row.name, source=source, created=now, seen=now, expires=expires
                )
            )
            connection.execute(
                tables.user.update().where(tables.user.c.name == row.name).values(last_login=now, password_hash=password_hash)
            )
            self._audit.within(
                connection, row.name, Action.SESSIONS_WRITE, f"user:{row.name}", source=source, details={"did": "login"}
            )
        user = self._users.get(row.name)
        if user is None:
            raise LoginRefusedError("wrong user or password")
        return Login(token=token, csrf=self.csrf(token), principal=_principal(row), user=user, expires=expires)


def _principal(row: Row[Any]) -> Principal:
    return Principal(
        name=row.name,
        kind=PrincipalKind.USER,
        scopes=ROLE_SCOPES[Role(row.role)],
        role=row.role,
        must_change_password=row.must_change_password,
    )
