"""How far the records of a node are indexed, so that who was killed over it goes on; the certificates of active carriers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hulian.registry.tables import Ordered

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """What is indexed stays: a row without a position stands for all records. Certificates of before are known by their
    carriers, and are written down when they are revoked."""
    op.add_column("identifier_derived", sa.Column("position", sa.LargeBinary()))
    op.create_table(
        "identifier_carrier_certificate",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("serial", Ordered(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_identifier_carrier_certificate"),
    )
    op.create_index("ix_identifier_carrier_certificate_serial", "identifier_carrier_certificate", ["serial"])
