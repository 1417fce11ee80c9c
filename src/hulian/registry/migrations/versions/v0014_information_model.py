"""The information model: documents in versions, their nodes and references, what people note on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hulian.registry.tables import Ordered

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Nothing was there before."""
    op.create_table(
        "semantics_state",
        sa.Column("one", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_semantics_state"),
    )
    op.create_table(
        "semantics_document",
        sa.Column("name", Ordered(), nullable=False),
        sa.Column("current", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_semantics_document"),
    )
    op.create_table(
        "semantics_version",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("document", Ordered(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("nodes", sa.Integer(), nullable=False),
        sa.Column("references", sa.Integer(), nullable=False),
        sa.Column("losses", sa.LargeBinary(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_semantics_version"),
    )
    op.create_index("ix_semantics_version_document", "semantics_version", ["document"])
    op.create_table(
        "semantics_node",
        sa.Column("key", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("id", Ordered(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("parent", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_semantics_node"),
    )
    op.create_index("ix_semantics_node_id", "semantics_node", ["id"])
    op.create_table(
        "semantics_meaning",
        sa.Column("concept", Ordered(), nullable=False),
        sa.Column("node", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("concept", "node", name="pk_semantics_meaning"),
    )
    op.create_table(
        "semantics_reference",
        sa.Column("key", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("source", Ordered(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("target", Ordered(), nullable=False),
        sa.Column("extra", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_semantics_reference"),
    )
    for name in ("source", "target"):
        op.create_index(f"ix_semantics_reference_{name}", "semantics_reference", [name])
    op.create_table(
        "semantics_attachment",
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("place", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("version", "place", name="pk_semantics_attachment"),
    )
    op.create_table(
        "semantics_note",
        sa.Column("node", Ordered(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("value", Ordered(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "field", name="pk_semantics_note"),
    )
    op.create_index("ix_semantics_note_value", "semantics_note", ["value"])
    op.create_table(
        "semantics_note_log",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("node", Ordered(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("before", sa.String()),
        sa.Column("after", sa.String()),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_semantics_note_log"),
    )
    op.create_index("ix_semantics_note_log_node", "semantics_note_log", ["node"])
