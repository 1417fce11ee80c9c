"""How far the records of a node are indexed, so that who was killed over it goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """What is indexed stays: a row without a position stands for all records."""
    op.add_column("identifier_derived", sa.Column("position", sa.LargeBinary()))
