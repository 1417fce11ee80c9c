"""What a command changes in the registry by itself stands in the audit trail, as what is changed through the platform does.

Who may run such a command is decided by the rights on the node's files; the trail names the user of this machine.
"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.registry import Registry

__all__ = ["record"]


def record(configuration: Configuration, registry: Registry, action: str, resource: str, did: str, **details: Any) -> None:
    """Adds one record, durable when this returns. ``action`` is the name of an `hulian.trust.Action`."""
    from hulian.assembly.preparation import open_trust
    from hulian.trust import Action  # loads what a command that only reads does not need

    told = {"did": did, "user": getpass.getuser(), **details}
    open_trust(configuration, registry).audit.record("command line", Action[action], resource, details=told)
