"""Escrow: a node's records leave it signed and encrypted, in volumes that others keep, and come back into an empty node.

    snapshot -> document (XML) -> zip -> sealed chunks -> volumes, and a signed manifest beside them

`export` writes, `verify` judges without writing, `restore` writes into an empty node. The forms are described on the page
docs/topics/identifiers-escrow.md.
"""

from hulian.network.identifiers.escrow.configuration import EscrowConfiguration
from hulian.network.identifiers.escrow.export import Order, export
from hulian.network.identifiers.escrow.manifest import Manifest, Position, SigningKey, read_manifest
from hulian.network.identifiers.escrow.restore import Restored, restore
from hulian.network.identifiers.escrow.verify import Custodian, verify

__all__ = [
    "Custodian",
    "EscrowConfiguration",
    "Manifest",
    "Order",
    "Position",
    "Restored",
    "SigningKey",
    "export",
    "read_manifest",
    "restore",
    "verify",
]
