"""Errors of what the platform serves in the field's own protocols.

NorthboundError                HL-NORTH-0000
├── AasRequestError            HL-NORTH-0001   400   a request that the interface's specification does not have
├── AasLoginError              HL-NORTH-0002   401   nobody is logged in
├── AasDeniedError             HL-NORTH-0003   403   whoever asks may not
├── AasNotFoundError           HL-NORTH-0004   404   nothing has this id or path
├── AasMethodError             HL-NORTH-0005   405   not for this path, or not for this element
├── AasFormError               HL-NORTH-0006   406   no form that is served
├── AasConflictError           HL-NORTH-0007   409   the id is taken, or the model refused the change
├── AasChangedError            HL-NORTH-0008   412   somebody else changed it meanwhile
├── AasTooLargeError           HL-NORTH-0009   413   a body or an answer beyond a bound
├── AasDefectError             HL-NORTH-0010   500   a defect of the server
├── AasNotInvokedError         HL-NORTH-0011   501   operations are not run through this interface
├── AasBusyError               HL-NORTH-0012   503   too many requests at once, or a part is not there
└── AasReadOnlyError           HL-NORTH-0013   409   a thing that is described in another language than AAS
"""

from __future__ import annotations

from typing import Final

from hulian.kernel.errors import HulianError

__all__ = [
    "OF_STATUS",
    "AasBusyError",
    "AasChangedError",
    "AasConflictError",
    "AasDefectError",
    "AasDeniedError",
    "AasFormError",
    "AasLoginError",
    "AasMethodError",
    "AasNotFoundError",
    "AasNotInvokedError",
    "AasReadOnlyError",
    "AasRequestError",
    "AasTooLargeError",
    "NorthboundError",
]


class NorthboundError(HulianError):
    """Anything that a client of a northbound interface is refused. ``status`` is that of its HTTP answer."""

    code = "HL-NORTH-0000"
    status = 500


class AasRequestError(NorthboundError):
    """A request that the specification of the interface does not have."""

    code = "HL-NORTH-0001"
    status = 400
    default_hint = "see IDTA 01002 for the operation; ids in paths are base64url"


class AasLoginError(NorthboundError):
    """Nobody is logged in."""

    code = "HL-NORTH-0002"
    status = 401
    default_hint = "send 'Authorization: Bearer TOKEN'; 'hulian token create' makes one"


class AasDeniedError(NorthboundError):
    """Whoever asks may not do this."""

    code = "HL-NORTH-0003"
    status = 403
    default_hint = "reading needs the scope read, changing the scope configure"


class AasNotFoundError(NorthboundError):
    """Nothing has this id or path."""

    code = "HL-NORTH-0004"
    status = 404
    default_hint = "list what there is: GET /shells, /submodels, /submodels/{id}/$path"


class AasMethodError(NorthboundError):
    """The method is not for this path, or not for this kind of element."""

    code = "HL-NORTH-0005"
    status = 405


class AasFormError(NorthboundError):
    """None of the forms that the client takes is served."""

    code = "HL-NORTH-0006"
    status = 406
    default_hint = "ask for application/json, application/xml or application/asset-administration-shell-package+xml"


class AasConflictError(NorthboundError):
    """The id is taken, or the model refused the change."""

    code = "HL-NORTH-0007"
    status = 409
    default_hint = "PUT replaces what is there"


class AasChangedError(NorthboundError):
    """Somebody else changed it meanwhile; nothing was changed by this request."""

    code = "HL-NORTH-0008"
    status = 412
    default_hint = "read it again and change that"


class AasTooLargeError(NorthboundError):
    """A body or an answer beyond a bound."""

    code = "HL-NORTH-0009"
    status = 413
    default_hint = "ask for less at a time: limit and cursor, or single elements by their path"


class AasDefectError(NorthboundError):
    """A defect of the server; its log has more under the reference that is told."""

    code = "HL-NORTH-0010"
    status = 500
    default_hint = "tell whoever runs this installation the reference"


class AasNotInvokedError(NorthboundError):
    """Operations are not run through this interface."""

    code = "HL-NORTH-0011"
    status = 501
    default_hint = "what a device can be told is told through its connector, confirmed and audited"


class AasBusyError(NorthboundError):
    """Too many requests at once, or a part of the platform does not answer."""

    code = "HL-NORTH-0012"
    status = 503
    default_hint = "try again in some seconds"


class AasReadOnlyError(NorthboundError):
    """A thing that is described in another language: it is shown as a submodel, and changed where it is described."""

    code = "HL-NORTH-0013"
    status = 409
    default_hint = "change its document and import that again"


OF_STATUS: Final[dict[int, type[NorthboundError]]] = {
    one.status: one
    for one in (
        AasRequestError,
        AasLoginError,
        AasDeniedError,
        AasNotFoundError,
        AasMethodError,
        AasFormError,
        AasConflictError,
        AasChangedError,
        AasTooLargeError,
        AasDefectError,
        AasNotInvokedError,
        AasBusyError,
    )
}
"""The error of each status that the interface answers with."""
