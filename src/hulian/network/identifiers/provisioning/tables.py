"""The tables of applications, of their history, and of logins. Times are UTC ns."""

from __future__ import annotations

import sqlalchemy as sa

from hulian.registry.tables import metadata

__all__ = ["application", "event", "login"]

application = sa.Table(
    "identifier_application",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String, nullable=False),
    sa.Column("prefix", sa.String, nullable=False),
    sa.Column("parent", sa.LargeBinary, nullable=False),
    sa.Column("in_force", sa.LargeBinary, nullable=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("registration", sa.LargeBinary, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("kept", sa.LargeBinary, nullable=True),
    sa.Column("applied", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("id"),
    sa.UniqueConstraint("in_force"),
    sa.Index(None, "state"),
)
"""``number`` is that of its first event. ``in_force`` is the key of the prefix handle where the prefix is the applicant's, so
that nobody else's can be. ``key`` is the fingerprint of the applicant's key, ``source`` the network that it came from, for as
long as it is open. ``kept`` is the record of a suspended prefix."""

event = sa.Table(
    "identifier_application_event",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("application", sa.String, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("before", sa.String, nullable=False),
    sa.Column("after", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("registration", sa.LargeBinary, nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
    sa.Index(None, "application"),
)
"""``registration`` is what the action has made it, empty where it left it as it was. ``seal`` binds a row to all before it."""

login = sa.Table(
    "identifier_login",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
)
"""``who`` is the key, as index:handle, that the login acts as; ``hash`` is argon2id."""
