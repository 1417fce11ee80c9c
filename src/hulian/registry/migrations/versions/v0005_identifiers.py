"""Records of identifiers, and the prefixes that this node answers for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """A node that has none yet answers for nothing."""
    op.create_table(
        "identifier_record",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_identifier_record"),
    )
    op.create_table(
        "identifier_homed",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_identifier_homed"),
    )
