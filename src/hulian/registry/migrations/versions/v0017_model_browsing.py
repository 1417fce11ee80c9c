"""Children and references of one node, in order, without a look at any other."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0015"


def upgrade() -> None:
    """What is there is indexed anew; nothing else changes."""
    op.create_index("ix_semantics_node_parent", "semantics_node", ["parent", "key"])
    for name in ("source", "target"):
        op.drop_index(f"ix_semantics_reference_{name}", "semantics_reference")
        op.create_index(f"ix_semantics_reference_{name}", "semantics_reference", [name, "key"])
