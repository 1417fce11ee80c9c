"""What can go wrong with the registry.

RegistryError                   HL-REGISTRY-0001   it cannot be opened, read or written
├── NewerRegistryError          HL-REGISTRY-0002   written by a newer Hulian
├── ForeignRegistryError        HL-REGISTRY-0003   a database, but not one of Hulian's
├── RegistryBusyError           HL-REGISTRY-0004   another process kept it locked for too long
└── RegistryBackupError         HL-REGISTRY-0005   it cannot be copied there, or the copy is not whole
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "ForeignRegistryError",
    "NewerRegistryError",
    "RegistryBackupError",
    "RegistryBusyError",
    "RegistryError",
]


class RegistryError(HulianError):
    """The registry cannot be opened, read or written."""

    code = "HL-REGISTRY-0001"
    default_hint = "check that the data directory exists, is yours, and has free space"


class NewerRegistryError(RegistryError):
    """A newer Hulian wrote this registry; this one would damage it."""

    code = "HL-REGISTRY-0002"
    default_hint = "start the Hulian that wrote it, or a newer one; or restore a backup of this version"


class ForeignRegistryError(RegistryError):
    """The file is no database, or the database is another program's."""

    code = "HL-REGISTRY-0003"
    default_hint = "name a file that does not exist yet, or an empty database"


class RegistryBusyError(RegistryError):
    """Another process kept the registry locked for longer than we wait."""

    code = "HL-REGISTRY-0004"
    default_hint = "look for a second 'hulian' on the same data directory"


class RegistryBackupError(RegistryError):
    """The registry cannot be copied there, or the copy is not whole."""

    code = "HL-REGISTRY-0005"
    default_hint = "name a directory that exists and has free space"
