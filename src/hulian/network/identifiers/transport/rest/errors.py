"""What a node cannot do over HTTP. HL-ID-051x and HL-ID-052x.

HulianError
└── RestError                HL-ID-0510   a request that is not done; ``status`` is the HTTP status
    ├── RequestError         HL-ID-0511   400   a request that cannot be read
    ├── SizeError            HL-ID-0512   413   a body that is too long
    ├── MethodError          HL-ID-0513   405   a method that this path does not have
    ├── PathError            HL-ID-0514   404   nothing is there
    ├── PlainHttpError       HL-ID-0515   403   a secret or a change over a connection that others can read
    ├── LoginError           HL-ID-0516   401   who asks has not proved it
    ├── AttemptsError        HL-ID-0517   429   too many proofs of one source that did not hold
    ├── BusyError            HL-ID-0518   503   as much as is done at once is being done
    ├── FormatError          HL-ID-0519   415   a form that is not read here
    ├── JobError             HL-ID-0520   409   a bulk job that another one, or another file, contradicts
    ├── CodeError            HL-ID-0521   400   a code that breaks its scheme
    ├── DefectError          HL-ID-0522   500   a defect of ours
    ├── ForbiddenError       HL-ID-0523   403   who asks may not do this
    ├── ElsewhereError       HL-ID-0524   502   another system gives no answer that can be used
    └── RowError             HL-ID-0530   one row of a bulk job that is refused; the others are not harmed
"""

from __future__ import annotations

from typing import ClassVar

from hulian.kernel.errors import HulianError

__all__ = [
    "AttemptsError",
    "BusyError",
    "CodeError",
    "DefectError",
    "ElsewhereError",
    "ForbiddenError",
    "FormatError",
    "JobError",
    "LoginError",
    "MethodError",
    "PathError",
    "PlainHttpError",
    "RequestError",
    "RestError",
    "RowError",
    "SizeError",
]


class RestError(HulianError):
    """A request that is not done. ``status`` is the HTTP status, ``retry_after`` are seconds."""

    code = "HL-ID-0510"
    status: ClassVar[int] = 400
    retry_after: int = 0


class RequestError(RestError):
    """A request that cannot be read."""

    code = "HL-ID-0511"


class SizeError(RestError):
    """A body that is too long."""

    code = "HL-ID-0512"
    status = 413
    default_hint = "records are at most 256 KiB; many of them go to /api/bulk"


class MethodError(RestError):
    """A method that this path does not have; ``allowed`` are those that it has."""

    code = "HL-ID-0513"
    status = 405

    def __init__(self, message: str, *, allowed: tuple[str, ...], place: str = "") -> None:
        super().__init__(message, place=place, hint=f"it has {', '.join(allowed)}")
        self.allowed = allowed


class PathError(RestError):
    """Nothing is there."""

    code = "HL-ID-0514"
    status = 404
    default_hint = "records are at /api/handles/{handle}"


class PlainHttpError(RestError):
    """A secret or a change over a connection that others can read and alter."""

    code = "HL-ID-0515"
    status = 403
    default_hint = "use https on the same port; plain HTTP will do only from this machine to a loopback address"


class LoginError(RestError):
    """Who asks has not proved it."""

    code = "HL-ID-0516"
    status = 401
    default_hint = "Basic with index%3Ahandle and the secret of that value, a client certificate, or a session of /api/sessions"


class AttemptsError(RestError):
    """Too many proofs of one source that did not hold."""

    code = "HL-ID-0517"
    status = 429
    default_hint = "wait, and see that the index is that of the secret key"


class BusyError(RestError):
    """As much as is done at once is being done."""

    code = "HL-ID-0518"
    status = 503
    retry_after = 1


class FormatError(RestError):
    """A form that is not read here."""

    code = "HL-ID-0519"
    status = 415


class JobError(RestError):
    """A bulk job that another one, or another file, contradicts."""

    code = "HL-ID-0520"
    status = 409


class CodeError(RestError):
    """A code that breaks the rules of its scheme."""

    code = "HL-ID-0521"


class DefectError(RestError):
    """A defect of ours; the log has the cause under the same reference."""

    code = "HL-ID-0522"
    status = 500


class ForbiddenError(RestError):
    """Who asks may not do this."""

    code = "HL-ID-0523"
    status = 403
    default_hint = "an HS_ADMIN of the prefix's record must name the key and give the permission"


class ElsewhereError(RestError):
    """Another system, which knows what was asked for, gives no answer that can be used."""

    code = "HL-ID-0524"
    status = 502


class RowError(RestError):
    """A row of a bulk job that is refused; the others are not harmed."""

    code = "HL-ID-0530"
