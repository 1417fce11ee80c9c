"""Records in the order of their keys, without a second tree beside them; changes that were made together in one row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Every row of the log is one change before, and stays so."""
    op.add_column("identifier_change", sa.Column("changes", sa.Integer(), nullable=False, server_default="1"))
    if op.get_bind().dialect.name != "sqlite":
        return
    op.rename_table("identifier_record", "identifier_record_before")
    op.create_table(
        "identifier_record",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_identifier_record"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO identifier_record SELECT key, handle, packed, changed FROM identifier_record_before ORDER BY key")
    op.drop_table("identifier_record_before")
