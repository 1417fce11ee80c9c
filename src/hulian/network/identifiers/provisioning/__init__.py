"""Prefixes are applied for, reviewed, given out and taken back; logins of the interfaces that go with them."""

from hulian.network.identifiers.provisioning.desk import Application, Desk
from hulian.network.identifiers.provisioning.errors import ProvisioningError
from hulian.network.identifiers.provisioning.history import Event
from hulian.network.identifiers.provisioning.lifecycle import NEEDS, Action, Role, State, allowed
from hulian.network.identifiers.provisioning.registration import Proposal, Registration

__all__ = [
    "NEEDS",
    "Action",
    "Application",
    "Desk",
    "Event",
    "Proposal",
    "ProvisioningError",
    "Registration",
    "Role",
    "State",
    "allowed",
]
