"""Active carriers: who is provisioned and enrolled, and their reports on the way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hulian.registry.tables import Ordered

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """No carrier is known before."""
    op.create_table(
        "identifier_carrier",
        sa.Column("serial", Ordered(), nullable=False),
        sa.Column("reservation", sa.String(), nullable=False),
        sa.Column("identifier", Ordered(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("settings", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("installed", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("enrolled", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_identifier_carrier"),
    )
    op.create_index("uq_identifier_carrier_identifier", "identifier_carrier", ["identifier"], unique=True)
    op.create_table(
        "identifier_carrier_report",
        sa.Column("serial", Ordered(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("serial", "sequence", name="pk_identifier_carrier_report"),
    )
