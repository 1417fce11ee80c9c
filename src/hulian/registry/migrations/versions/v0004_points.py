"""Raw ranges and enumeration texts of points; templates for a type of machine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Points that are there already have no raw range and no enumeration texts."""
    op.add_column("catalogue_point", sa.Column("raw_low", sa.Float()))
    op.add_column("catalogue_point", sa.Column("raw_high", sa.Float()))
    op.add_column("catalogue_point", sa.Column("enumeration", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "catalogue_template",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("parameters", "columns", "rows")),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_catalogue_template"),
    )
