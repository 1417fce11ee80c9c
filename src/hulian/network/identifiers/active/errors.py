"""What can be wrong between a node and its active carriers.

HulianError
└── ActiveError                 HL-ID-1100   the root
    ├── MessageError            HL-ID-1101   a message of a carrier that breaks its form
    ├── UnknownCarrierError     HL-ID-1102   nobody has provisioned a carrier of this serial number
    ├── RevokedCarrierError     HL-ID-1103   the carrier is revoked
    ├── ProofError              HL-ID-1104   a certificate or signature that does not prove the carrier
    ├── EnrolledError           HL-ID-1105   the carrier is enrolled with another key
    ├── SequenceError           HL-ID-1106   a sequence number that was used for another report
    ├── FullError               HL-ID-1107   more undelivered reports than are kept
    ├── RegistrationError       HL-ID-1108   the identifier cannot be registered
    ├── ProvisionError          HL-ID-1110   a list of carriers that cannot be provisioned
    ├── DeliveryError           HL-ID-1111   where reports go takes none now
    ├── RefusedReportError      HL-ID-1112   where reports go will never take this one
    ├── SessionOverError        HL-ID-1113   a session that is over, or that nobody began
    └── ReplayError             HL-ID-1114   a message of a session that was used before, or is not of its carrier

``response_code`` is what the carrier is told.
"""

from __future__ import annotations

from typing import ClassVar

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.wire.codes import ResponseCode

__all__ = [
    "ActiveError",
    "DeliveryError",
    "EnrolledError",
    "FullError",
    "MessageError",
    "ProofError",
    "ProvisionError",
    "RefusedReportError",
    "RegistrationError",
    "ReplayError",
    "RevokedCarrierError",
    "SequenceError",
    "SessionOverError",
    "UnknownCarrierError",
]


class ActiveError(HulianError):
    """The root of what can go wrong with active carriers."""

    code = "HL-ID-1100"
    response_code: ClassVar[ResponseCode] = ResponseCode.ERROR


class MessageError(ActiveError):
    """A message of a carrier that breaks its form."""

    code = "HL-ID-1101"
    response_code = ResponseCode.PROTOCOL_ERROR
    default_hint = "docs/reference/active-carrier.md has the forms"


class UnknownCarrierError(ActiveError):
    """Nobody has provisioned a carrier of this serial number here."""

    code = "HL-ID-1102"
    response_code = ResponseCode.INVALID_ADMIN
    default_hint = "'hulian active provision' reserves an identifier for it"


class RevokedCarrierError(ActiveError):
    """The carrier is revoked: nothing of it is taken."""

    code = "HL-ID-1103"
    response_code = ResponseCode.NOT_PERMITTED
    default_hint = "a revoked carrier stays so; provision another one"


class ProofError(ActiveError):
    """A certificate or a signature that does not prove the carrier."""

    code = "HL-ID-1104"
    response_code = ResponseCode.AUTHENTICATION_FAILED


class EnrolledError(ActiveError):
    """The carrier is enrolled with another key: whoever holds the factory's key alone cannot take its place."""

    code = "HL-ID-1105"
    response_code = ResponseCode.NOT_PERMITTED
    default_hint = "revoke the carrier and provision another, where its own key is lost"


class SequenceError(ActiveError):
    """A sequence number that was used for another report."""

    code = "HL-ID-1106"
    response_code = ResponseCode.INVALID_VALUE
    default_hint = "the carrier's memory was set back; it has to go on behind its newest sequence number"


class FullError(ActiveError):
    """More reports wait for delivery than are kept; the carrier keeps this one and comes again."""

    code = "HL-ID-1107"
    response_code = ResponseCode.SERVER_BUSY
    default_hint = "look at where reports go: identifiers.active.push"


class RegistrationError(ActiveError):
    """The identifier of a carrier cannot be registered."""

    code = "HL-ID-1108"
    response_code = ResponseCode.HANDLE_EXISTS


class ProvisionError(ActiveError):
    """A list of carriers that cannot be provisioned; nothing of it was."""

    code = "HL-ID-1110"
    default_hint = "a CSV file with the columns serial and reservation; docs/topics/identifiers-active.md has the others"


class DeliveryError(ActiveError):
    """Where reports go takes none now; they wait."""

    code = "HL-ID-1111"
    default_hint = "look at the connector that identifiers.active.push names"


class RefusedReportError(ActiveError):
    """Where reports go will never take this one; it is kept apart, and the next ones go on."""

    code = "HL-ID-1112"


class SessionOverError(ActiveError):
    """A session that is over, or that nobody began: the carrier proves itself anew and begins another one."""

    code = "HL-ID-1113"
    response_code = ResponseCode.SESSION_TIMEOUT
    default_hint = "begin another session, or prove the report by itself"


class ReplayError(ActiveError):
    """A message of a session whose counter was used before, or whose code is not of the session's key."""

    code = "HL-ID-1114"
    response_code = ResponseCode.SESSION_MESSAGE_REJECTED
    default_hint = "each message of a session has a higher counter than the one before"
