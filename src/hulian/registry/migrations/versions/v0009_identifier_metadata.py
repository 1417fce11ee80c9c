"""What records say of their things, taken out to be searched; and the templates of other nodes that records name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Nothing is taken out yet: the node does that at its next start."""
    op.create_table(
        "identifier_attribute",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.LargeBinary()),
        sa.Column("number", sa.Float()),
        sa.Column("moment", sa.BigInteger()),
        sa.Column("public", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "at", name="pk_identifier_attribute"),
    )
    for name in ("text", "number", "moment"):
        op.create_index(f"ix_identifier_attribute_{name}", "identifier_attribute", ["name", name, "key"])
    op.create_table(
        "identifier_word",
        sa.Column("word", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("public", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("word", "key", "at", name="pk_identifier_word"),
    )
    op.create_index("ix_identifier_word_key", "identifier_word", ["key"])
    op.create_table(
        "identifier_relation",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.LargeBinary(), nullable=False),
        sa.Column("target", sa.LargeBinary(), nullable=False),
        sa.Column("public", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "at", name="pk_identifier_relation"),
    )
    op.create_index("ix_identifier_relation_target", "identifier_relation", ["target", "kind", "key"])
    op.create_table(
        "identifier_derived",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_identifier_derived"),
    )
    op.create_table(
        "identifier_template",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "version", name="pk_identifier_template"),
    )
