"""Accounts, the audit trail, device credentials; connectors, points and their series."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes every table of the first version."""
    _accounts()
    _trail()
    _catalogue()


def _accounts() -> None:
    op.create_table(
        "trust_user",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("display", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("last_login", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_trust_user"),
    )
    op.create_table(
        "trust_session",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user", _TEXT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_trust_session"),
        sa.ForeignKeyConstraint(["user"], ["trust_user.name"], name="fk_trust_session_user", ondelete="CASCADE"),
    )
    op.create_index("ix_trust_session_user", "trust_session", ["user"])
    op.create_table(
        "trust_token",
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("last_used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name="pk_trust_token"),
        sa.UniqueConstraint("digest", name="uq_trust_token_digest"),
        sa.ForeignKeyConstraint(["owner"], ["trust_user.name"], name="fk_trust_token_owner", ondelete="CASCADE"),
    )
    op.create_index("ix_trust_token_owner", "trust_token", ["owner"])
    op.create_table(
        "trust_attempt",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_trust_attempt"),
    )
    op.create_index("ix_trust_attempt_last", "trust_attempt", ["last"])
    op.create_table(
        "trust_device",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("publish", sa.JSON(), nullable=False),
        sa.Column("subscribe", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_trust_device"),
    )


def _trail() -> None:
    op.create_table(
        "trust_audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("details", sa.String(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_trust_audit"),
    )
    op.create_index("ix_trust_audit_principal", "trust_audit", ["principal", "sequence"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER trust_audit_no_{verb.lower()} BEFORE {verb} ON trust_audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION trust_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit trail only grows'; END $$"
        )
        op.execute(
            "CREATE TRIGGER trust_audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON trust_audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION trust_audit_only_grows()"
        )


def _catalogue() -> None:
    op.create_table(
        "catalogue_state",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_catalogue_state"),
    )
    op.execute("INSERT INTO catalogue_state (one, revision) VALUES (1, 0)")
    op.create_table(
        "catalogue_connector",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("credentials", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_catalogue_connector"),
    )
    op.create_table(
        "catalogue_series",
        sa.Column("series", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("storage", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", name="pk_catalogue_series"),
    )
    op.create_table(
        "catalogue_point",
        sa.Column("identity", sa.Integer(), nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("thing", _TEXT, nullable=False),
        sa.Column("series", sa.BigInteger(), nullable=False),
        sa.Column("storage", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("connector", _TEXT, nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("writable", sa.Boolean(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("search", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("identity", name="pk_catalogue_point"),
        sa.UniqueConstraint("name", name="uq_catalogue_point_name"),
    )
    op.create_index("ix_catalogue_point_thing", "catalogue_point", ["thing", "name"])
    op.create_index("ix_catalogue_point_path", "catalogue_point", ["path", "thing"])
    op.create_index("ix_catalogue_point_series", "catalogue_point", ["series"])
    op.create_index("ix_catalogue_point_connector", "catalogue_point", ["connector", "name"])
    op.create_index("ix_catalogue_point_search", "catalogue_point", ["name", "search"])
    op.create_table(
        "catalogue_span",
        sa.Column("point", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("series", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("point", "since", name="pk_catalogue_span"),
        sa.ForeignKeyConstraint(["point"], ["catalogue_point.identity"], name="fk_catalogue_span_point", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["series"], ["catalogue_series.series"], name="fk_catalogue_span_series"),
    )
    op.create_index("ix_catalogue_span_series", "catalogue_span", ["series"])
