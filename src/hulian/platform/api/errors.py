"""Errors of the HTTP API.

    HulianError
    └── ApiError                    HL-API-0000
        ├── RequestError            HL-API-0001   400  a body, parameter or header that does not fit
        │   └── TimeError           HL-API-0002   400  a time or span that cannot be read
        ├── LoginRequiredError      HL-API-0003   401
        ├── CrossSiteError          HL-API-0004   403  a request that another site may have caused
        ├── HostError               HL-API-0005   421  a Host header that is not ours (DNS rebinding)
        ├── NotFoundError           HL-API-0006   404
        ├── MethodError             HL-API-0007   405
        ├── TooLargeError           HL-API-0008   413
        ├── TooManyError            HL-API-0009   429  with the seconds to wait
        ├── UnavailableError        HL-API-0010   503  a part of the platform does not answer
        ├── ConflictError           HL-API-0011   409  what is asked for contradicts what there is
        ├── ConsoleMissingError     HL-API-0012   404  the console was not built into this installation
        ├── PortError               HL-API-0013        the address cannot be served (port in use, not allowed)
        ├── CertificateError        HL-API-0014        the TLS certificate or key cannot be used
        ├── NotWritableError        HL-API-0016   403  the configuration does not allow to write the point
        ├── OutOfRangeError         HL-API-0017   422  a set-point beyond the range of its point
        ├── JobCancelledError       HL-API-0070   409  a job that somebody ended
        ├── StalePreviewError       HL-API-0071   409  the model has changed since it was looked at
        ├── UndecidedError          HL-API-0072   409  too many versions wait to be applied or discarded
        ├── NoSpaceError            HL-API-0073   507  the disk has no room for a file
        ├── UnknownPointError       HL-API-0060   404  a node is to be bound to a point that is not there
        └── DefectError             HL-API-0015   500  a defect of Hulian; the log holds it under the reference shown

A class carries the HTTP status it is answered with; errors of other rooms get theirs in `hulian.platform.api.refusals`.
"""

from __future__ import annotations

from typing import ClassVar

from hulian.kernel.errors import ConfigurationError, HulianError

__all__ = [
    "ApiError",
    "CertificateError",
    "ConflictError",
    "ConsoleMissingError",
    "CrossSiteError",
    "DefectError",
    "HostError",
    "JobCancelledError",
    "LoginRequiredError",
    "MethodError",
    "NoSpaceError",
    "NotFoundError",
    "NotWritableError",
    "OutOfRangeError",
    "PortError",
    "RequestError",
    "StalePreviewError",
    "TimeError",
    "TooLargeError",
    "TooManyError",
    "UnavailableError",
    "UndecidedError",
    "UnknownPointError",
]


class ApiError(HulianError):
    """The root of this room's errors; ``status`` is the HTTP status it is answered with."""

    code = "HL-API-0000"
    status: ClassVar[int] = 400


class RequestError(ApiError):
    """A body, parameter or header that does not fit; ``place`` names it."""

    code = "HL-API-0001"
    default_hint = "GET /api/v1/openapi.json describes every call"


class TimeError(RequestError):
    """A time or a span that cannot be read."""

    code = "HL-API-0002"
    default_hint = "write a time as 2026-03-01T08:00:00Z or as nanoseconds since 1970, and a span as 90s, 15m, 1h or 7d"


class LoginRequiredError(ApiError):
    """No login, or one that has expired."""

    code = "HL-API-0003"
    status = 401
    default_hint = "log in, or send 'Authorization: Bearer hlt_…' with a token made in the console or by 'hulian token create'"


class CrossSiteError(ApiError):
    """A request that changes something and may have been caused by another site."""

    code = "HL-API-0004"
    status = 403
    default_hint = "send the csrf value of GET /api/v1/session in the header X-Hulian-CSRF"


class HostError(ApiError):
    """The request names a host that this installation does not answer for."""

    code = "HL-API-0005"
    status = 421
    default_hint = "add the name to allowed_hosts of [api] in hulian.toml"


class NotFoundError(ApiError):
    """There is nothing of this name."""

    code = "HL-API-0006"
    status = 404


class MethodError(ApiError):
    """The path exists, the method does not."""

    code = "HL-API-0007"
    status = 405


class TooLargeError(ApiError):
    """The body is larger than the configured limit."""

    code = "HL-API-0008"
    status = 413


class TooManyError(ApiError):
    """More than the configured number at a time; ``seconds`` is how long to wait."""

    code = "HL-API-0009"
    status = 429

    def __init__(self, message: str, *, seconds: int = 1, place: str = "", hint: str = "") -> None:
        super().__init__(message, place=place, hint=hint)
        self.seconds = seconds


class UnavailableError(ApiError):
    """A part of the platform does not answer now; the same request may work later."""

    code = "HL-API-0010"
    status = 503
    default_hint = "look at the components under Health in the console, or run 'hulian status'"


class ConflictError(ApiError):
    """What is asked for contradicts what there is."""

    code = "HL-API-0011"
    status = 409


class ConsoleMissingError(NotFoundError):
    """The console was not built into this installation."""

    code = "HL-API-0012"
    default_hint = "install a released wheel, or run 'make console' in a checkout; the API works without it"


class PortError(ConfigurationError):
    """The configured address cannot be served."""

    code = "HL-API-0013"
    default_hint = "stop the program that uses the port, or set another port under [api] in hulian.toml"


class CertificateError(ConfigurationError):
    """The configured certificate or key cannot be used for TLS."""

    code = "HL-API-0014"
    default_hint = "give both certificate and key as PEM files under [api], or leave both empty"


class DefectError(ApiError):
    """A defect of Hulian. The answer holds a reference; the log holds the rest under it."""

    code = "HL-API-0015"
    status = 500
    default_hint = "please report it with the reference and the lines around it in the log of the api component"


class NotWritableError(ApiError):
    """The configuration does not allow to write this point."""

    code = "HL-API-0016"
    status = 403
    default_hint = "an engineer marks a point writable in its connector, if the plant allows it"


class OutOfRangeError(ApiError):
    """A set-point beyond the range of its point, or no number where the point is one."""

    code = "HL-API-0017"
    status = 422
    default_hint = "write a value between the limits of the point; an engineer may change them in its description"


class JobCancelledError(ApiError):
    """A job that somebody ended; nothing of it stays."""

    code = "HL-API-0070"
    status = 409
    default_hint = "nothing of it was taken; begin again when you like"


class StalePreviewError(ApiError):
    """The model has changed since the preview was looked at."""

    code = "HL-API-0071"
    status = 409
    default_hint = "look at the preview again: it is made against the model as it is now"


class UndecidedError(ApiError):
    """As many versions as may wait are neither applied nor discarded."""

    code = "HL-API-0072"
    status = 409
    default_hint = "apply or discard some of them; what waits for a day is discarded by itself"


class NoSpaceError(ApiError):
    """The disk has no room for a file."""

    code = "HL-API-0073"
    status = 507
    default_hint = "free space on the disk of node.data"


class UnknownPointError(NotFoundError):
    """A node of the model is to be bound to a point that is not in the catalogue."""

    code = "HL-API-0060"
    default_hint = "choose a point that is there (GET /api/v1/points?search=), or add it to its connector first"
