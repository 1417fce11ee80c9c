"""What can be wrong with an application for a prefix. HL-ID-08xx.

HulianError
└── ProvisioningError            HL-ID-0800
    ├── RegistrationError        HL-ID-0801   data of a registration that break a rule
    ├── ProofError               HL-ID-0802   the key that is applied with did not sign the application
    ├── UnknownApplicationError  HL-ID-0803   there is no such application, for who asks
    ├── StateError               HL-ID-0804   an action that the state of the application does not have
    ├── NotPermittedError        HL-ID-0805   an action that who asks may not take
    ├── TakenError               HL-ID-0806   a prefix that is somebody's, or that is not given out here
    ├── CrowdedError             HL-ID-0807   as many applications as are kept
    ├── OutdatedError            HL-ID-0808   the application was changed meanwhile
    ├── BrokenHistoryError       HL-ID-0809   the history is not the one that this node wrote
    ├── LoginNameError           HL-ID-0810   a name or an identity that no login can have
    └── AnsweredError            HL-ID-0811   a node did not do what it was asked over HTTP
"""

from __future__ import annotations

from hulian.kernel.errors import HulianError

__all__ = [
    "AnsweredError",
    "BrokenHistoryError",
    "CrowdedError",
    "LoginNameError",
    "NotPermittedError",
    "OutdatedError",
    "ProofError",
    "ProvisioningError",
    "RegistrationError",
    "StateError",
    "TakenError",
    "UnknownApplicationError",
]


class ProvisioningError(HulianError):
    """An application for a prefix that is not taken further."""

    code = "HL-ID-0800"


class RegistrationError(ProvisioningError):
    """Data of a registration that break a rule; the place names the field."""

    code = "HL-ID-0801"
    default_hint = "docs/topics/identifiers-provisioning.md lists the fields and their rules"


class ProofError(ProvisioningError):
    """The key that is applied with did not sign the application."""

    code = "HL-ID-0802"
    default_hint = "sign the text of the registration, byte for byte as it is sent, with the private half of its public_key"


class UnknownApplicationError(ProvisioningError):
    """There is no such application, or it is not for who asks to see."""

    code = "HL-ID-0803"
    default_hint = "GET /api/applications lists those that you may see"


class StateError(ProvisioningError):
    """An action that the state of the application does not have."""

    code = "HL-ID-0804"


class NotPermittedError(ProvisioningError):
    """An action that who asks may not take."""

    code = "HL-ID-0805"
    default_hint = "an HS_ADMIN of the prefix above must name the key, and let it add and delete derived prefixes"


class TakenError(ProvisioningError):
    """A prefix that belongs to somebody already, or that is not given out at this node."""

    code = "HL-ID-0806"
    default_hint = "apply for another one, at the node that answers for the prefix above it"


class CrowdedError(ProvisioningError):
    """As many applications as are kept are waiting already, here, from this source or of this key."""

    code = "HL-ID-0807"
    default_hint = "try again when some of them are decided"


class OutdatedError(ProvisioningError):
    """The application, or the record of its prefix, was changed since it was read."""

    code = "HL-ID-0808"
    default_hint = "read it again, and decide anew"


class BrokenHistoryError(ProvisioningError):
    """The history of applications is not the one that this node wrote."""

    code = "HL-ID-0809"
    default_hint = "somebody has changed the database by other means: compare it with the last backup"


class LoginNameError(ProvisioningError):
    """A name that no login can have, or an identity that it cannot stand for."""

    code = "HL-ID-0810"


class AnsweredError(ProvisioningError):
    """A node did not do what it was asked over HTTP; ``status`` is that of HTTP, 0 where nothing came back.

    ``said`` and ``answered`` are the message and the code of its own error, empty where it gave none.
    """

    code = "HL-ID-0811"

    def __init__(
        self, message: str, *, status: int = 0, place: str = "", hint: str = "", said: str = "", answered: str = ""
    ) -> None:
        super().__init__(message, place=place, hint=hint)
        self.status, self.said, self.answered = status, said, answered
