"""The relational database of names, accounts and settings: engine, transactions, migrations, backup.

Samples never come here. Each room declares its tables on `metadata`; `Registry` opens the database and brings it up to date.
"""

from __future__ import annotations

from hulian.registry.errors import (
    ForeignRegistryError,
    NewerRegistryError,
    RegistryBackupError,
    RegistryBusyError,
    RegistryError,
)
from hulian.registry.store import Registry
from hulian.registry.tables import metadata

__all__ = [
    "ForeignRegistryError",
    "NewerRegistryError",
    "Registry",
    "RegistryBackupError",
    "RegistryBusyError",
    "RegistryError",
    "metadata",
]
