"""API tokens: for programs, with some of their owner's scopes and an end."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Row

from hulian.registry import Registry
from hulian.trust import tables
from hulian.trust.audit import Audit
from hulian.trust.errors import AccountError, UnknownAccountError
from hulian.trust.principals import ROLE_SCOPES, Action, Principal, PrincipalKind, Role, Scope
from hulian.trust.users import folded

__all__ = ["IssuedToken", "Token", "Tokens"]

_PREFIX: Final = "hlt_"
_SEEN_EVERY: Final = 60_000_000_000
_LONGEST_LABEL: Final = 200


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is listed: everything but its secret. Times are UTC ns; ``expires`` None is never."""

    identity: str
    owner: str
    label: str
    scopes: frozenset[Scope]
    created: int
    expires: int | None
    last_used: int


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that has just been made; ``secret`` is shown this once and kept nowhere."""

    secret: str
    token: Token

    def __repr__(self) -> str:
        return f"IssuedToken(identity={self.token.identity!r})"


class Tokens:
    """Issues, finds and revokes API tokens. A token never does more than its owner may at that moment."""

    def __init__(self, registry: Registry, audit: Audit, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._registry = registry
        self._audit = audit
        self._clock = clock

    def issue(self, owner: str, label: str, scopes: Iterable[Scope], *, expires: int | None = None, by: str) -> IssuedToken:
        """A new token of ``owner``. Raises `AccountError` for scopes the owner does not hold, or an end that has passed."""
        wanted = frozenset(Scope(scope) for scope in scopes)
        now = self._clock()
        if not wanted:
            raise AccountError("a token without a scope can do nothing", hint=f"give one of: {', '.join(Scope)}")
        if expires is not None and expires <= now:
            raise AccountError("the token would have ended before it began")
        if len(label) > _LONGEST_LABEL:
            raise AccountError(f"the label is longer than {_LONGEST_LABEL} characters")
        secret = _PREFIX + secrets.token_urlsafe(32)
        identity = secrets.token_hex(6)
        name = folded(owner)
        with self._registry.write() as connection:
            row = connection.execute(sa.select(tables.user).where(tables.user.c.name == name)).first()
            if row is None or row.disabled:
                raise UnknownAccountError(f"there is no active user '{owner}'")
            if beyond := wanted - ROLE_SCOPES[Role(row.role)]:
                raise AccountError(f"'{name}' ({row.role}) does not hold: {', '.join(sorted(beyond))}")
            connection.execute(
                tables.token.insert().values(
                    identity=identity,
                    digest=_digest(secret),
                    owner=name,
                    label=label,
                    scopes=sorted(wanted),
                    created=now,
                    expires=expires,
                    last_used=0,
                )
            )
            details = {"did": "issued", "label": label, "scopes": sorted(wanted), "expires": expires}
            self._audit.within(connection, by, Action.TOKENS_WRITE, f"token:{identity}", details=details)
        token = Token(identity=identity, owner=name, label=label, scopes=wanted, created=now, expires=expires, last_used=0)
        return IssuedToken(secret=secret, token=token)

    def resolve(self, secret: str) -> Principal | None:
        """Who is behind the token; None where it ended, was revoked, its owner is disabled, or it never was."""
        if not secret.startswith(_PREFIX):
            return None
        now = self._clock()
        query = (
            sa.select(tables.token, tables.user.c.role, tables.user.c.disabled)
            .join(tables.user, tables.user.c.name == tables.token.c.owner)
            .where(tables.token.c.digest == _digest(secret))
        )
        with self._registry.read() as connection:
            row = connection.execute(query).first()
        if row is None or row.disabled or (row.expires is not None and now >= row.expires):
            return None
        if now - row.last_used > _SEEN_EVERY:
            with self._registry.write() as connection:
                connection.execute(tables.token.update().where(tables.token.c.identity == row.identity).values(last_used=now))
        return Principal(
            name=row.owner,
            kind=PrincipalKind.TOKEN,
            scopes=frozenset(Scope(scope) for scope in row.scopes) & ROLE_SCOPES[Role(row.role)],
            role=row.role,
            detail=row.identity,
        )

    def list(self, owner: str | None = None) -> list[Token]:
        """The tokens, newest first; of one owner where given."""
        query = sa.select(tables.token).order_by(tables.token.c.created.desc(), tables.token.c.identity)
        if owner is not None:
            query = query.where(tables.token.c.owner == folded(owner))
        with self._registry.read() as connection:
            return [_token(row) for row in connection.execute(query)]

    def get(self, identity: str) -> Token | None:
        """The token of this identity; None where there is none."""
        with self._registry.read() as connection:
            row = connection.execute(sa.select(tables.token).where(tables.token.c.identity == identity)).first()
            return _token(row) if row else None

    def revoke(self, identity: str, *, by: str) -> None:
        """Ends the token at once. Raises `UnknownAccountError`."""
        with self._registry.write() as connection:
            if not connection.execute(tables.token.delete().where(tables.token.c.identity == identity)).rowcount:
                raise UnknownAccountError(f"there is no token '{identity[:40]}'")
            self._audit.within(connection, by, Action.TOKENS_WRITE, f"token:{identity}", details={"did": "revoked"})


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _token(row: Row[Any]) -> Token:
    return Token(
        identity=row.identity,
        owner=row.owner,
        label=row.label,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created=row.created,
        expires=row.expires,
        last_used=row.last_used,
    )
