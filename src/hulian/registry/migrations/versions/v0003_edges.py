"""Edge nodes: invitations, identities, and where each connector runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Connectors that are there already run on the node itself: their edge is empty."""
    op.create_table(
        "trust_invitation",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_trust_invitation"),
    )
    op.create_table(
        "trust_edge",
        sa.Column("name", _TEXT, nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("state", "fingerprint", "public_key", "request", "certificate", "password_hash")
        ),
        sa.Column("claim", sa.LargeBinary(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_trust_edge"),
        sa.UniqueConstraint("claim", name="uq_trust_edge_claim"),
    )
    op.create_table(
        "catalogue_plan",
        sa.Column("edge", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("edge", name="pk_catalogue_plan"),
    )
    op.add_column("catalogue_connector", sa.Column("edge", sa.String(), nullable=False, server_default=""))
