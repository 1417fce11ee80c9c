"""The tables of accounts, the trail and devices. Every time is UTC ns; 0 is never."""

from __future__ import annotations

import sqlalchemy as sa

from hulian.registry.tables import Ordered, metadata

__all__ = ["attempt", "audit", "device", "edge", "invitation", "session", "token", "user"]

user = sa.Table(
    "trust_user",
    metadata,
    sa.Column("name", Ordered(), primary_key=True),
    sa.Column("display", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("password_hash", sa.String, nullable=False),
    sa.Column("must_change_password", sa.Boolean, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("last_login", sa.BigInteger, nullable=False),
)

session = sa.Table(
    "trust_session",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("user", Ordered(), sa.ForeignKey("trust_user.name", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
)

token = sa.Table(
    "trust_token",
    metadata,
    sa.Column("identity", sa.String, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("owner", Ordered(), sa.ForeignKey("trust_user.name", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("label", sa.String, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger),
    sa.Column("last_used", sa.BigInteger, nullable=False),
)

attempt = sa.Table(
    "trust_attempt",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False, index=True),
    sa.Column("blocked_until", sa.BigInteger, nullable=False),
)

device = sa.Table(
    "trust_device",
    metadata,
    sa.Column("name", Ordered(), primary_key=True),
    sa.Column("password_hash", sa.String, nullable=False),
    sa.Column("publish", sa.JSON, nullable=False),
    sa.Column("subscribe", sa.JSON, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)

invitation = sa.Table(
    "trust_invitation",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("label", sa.String, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
)

edge = sa.Table(
    "trust_edge",
    metadata,
    sa.Column("name", Ordered(), primary_key=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.Column("public_key", sa.String, nullable=False),
    sa.Column("request", sa.String, nullable=False),
    sa.Column("certificate", sa.String, nullable=False),
    sa.Column("password_hash", sa.String, nullable=False),
    sa.Column("claim", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("sources", sa.JSON, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("decided", sa.BigInteger, nullable=False),
    sa.Column("decided_by", sa.String, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
)

audit = sa.Table(
    "trust_audit",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("principal", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("resource", sa.String, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("details", sa.String, nullable=False),
    sa.Column("chain", sa.LargeBinary, nullable=False),
    sa.Index("ix_trust_audit_principal", "principal", "sequence"),
)
