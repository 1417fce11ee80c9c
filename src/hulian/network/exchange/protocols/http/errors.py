"""What can go wrong between us and those who push to us over HTTP.

HulianError
└── HttpError               HL-HTTP-0000
    ├── AddressError        HL-HTTP-0001   an address or URL that the syntax does not know (a `ConfigurationError` too)
    ├── OptionError         HL-HTTP-0002   a setting or option that does not fit (likewise)
    ├── ListenError         HL-HTTP-0010   the port cannot be listened on
    ├── SilenceError        HL-HTTP-0011   nobody has pushed for too long
    ├── WindowError         HL-HTTP-0012   the memory of repeated requests is lost or cannot be written
    ├── UnseenError         HL-HTTP-0013   nothing to browse: nobody has pushed yet
    ├── AccessError         HL-HTTP-0020   no token, or not ours                                                  401
    ├── RouteError          HL-HTTP-0021   no such path or method                                             404, 405
    ├── FormatError         HL-HTTP-0022   a content type or encoding that nobody reads here                      415
    ├── BodyError           HL-HTTP-0023   a body that is not what it says                                        400
    ├── SizeError           HL-HTTP-0024   a body that is too large                                               413
    ├── RepeatError         HL-HTTP-0025   an idempotency key that is in use, or was used for another body   409, 422
    ├── CrowdError          HL-HTTP-0026   too many requests at once                                              429
    ├── FullError           HL-HTTP-0027   the journal is full: later                                             503
    └── TypeFitError        HL-HTTP-0028   values of another type than their point
"""

from __future__ import annotations

from typing import ClassVar

from hulian.kernel.errors import ConfigurationError, HulianError

__all__ = [
    "AccessError",
    "AddressError",
    "BodyError",
    "BusyKeyError",
    "CrowdError",
    "FormatError",
    "FullError",
    "HttpError",
    "ListenError",
    "OptionError",
    "RepeatError",
    "RouteError",
    "SilenceError",
    "SizeError",
    "TypeFitError",
    "UnseenError",
    "WindowError",
]


class HttpError(HulianError):
    """The root of this protocol's errors. ``status`` is what the sender gets; ``retry_after`` the seconds to wait, 0: none."""

    code = "HL-HTTP-0000"
    status: ClassVar[int] = 500
    retry_after: ClassVar[int] = 0


class AddressError(HttpError, ConfigurationError):
    """An address or URL that the syntax does not know."""

    code = "HL-HTTP-0001"
    default_hint = (
        "write 'line:MEASUREMENT,TAG=VALUE:FIELD', 'json:STREAM:PATH', 'arrow:STREAM:COLUMN' or 'event:SOURCE:TYPE:PATH'"
    )


class OptionError(HttpError, ConfigurationError):
    """A setting or option that does not fit."""

    code = "HL-HTTP-0002"
    default_hint = "the README of http lists settings and options"


class ListenError(HttpError):
    """The port cannot be listened on."""

    code = "HL-HTTP-0010"
    default_hint = "choose another port, or end the program that has it; it is tried again by itself"


class SilenceError(HttpError):
    """Nobody has pushed for too long."""

    code = "HL-HTTP-0011"
    default_hint = "check the sender and its token, or lengthen 'silent_after'"


class WindowError(HttpError):
    """The memory of repeated requests is lost or cannot be written."""

    code = "HL-HTTP-0012"
    status = 503
    retry_after = 5
    default_hint = "free space in the data directory of the edge; a request that is repeated now may be stored twice"


class UnseenError(HttpError):
    """Nothing to browse: nobody has pushed yet."""

    code = "HL-HTTP-0013"
    default_hint = "start a connector, let the sender push once, and browse again"


class AccessError(HttpError):
    """No token, or not ours."""

    code = "HL-HTTP-0020"
    status = 401
    default_hint = "send 'Authorization: Bearer TOKEN' (or 'Token TOKEN', or Basic with user and password)"


class RouteError(HttpError):
    """No such path or method."""

    code = "HL-HTTP-0021"
    status = 404
    default_hint = "POST to /push/STREAM, /api/v2/write or /write"


class FormatError(HttpError):
    """A content type or encoding that nobody reads here."""

    code = "HL-HTTP-0022"
    status = 415
    default_hint = (
        "send text/plain (line protocol), application/json, application/vnd.apache.arrow.stream or CloudEvents; gzip or zstd"
    )


class BodyError(HttpError):
    """A body that is not what it says."""

    code = "HL-HTTP-0023"
    status = 400
    default_hint = "compare the body with its content type; 'mappings' say how JSON is read"


class SizeError(HttpError):
    """A body that is too large."""

    code = "HL-HTTP-0024"
    status = 413
    default_hint = "send less at once, or raise 'body_mb' and 'decoded_mb'"


class RepeatError(HttpError):
    """An idempotency key that is in use, or was used for another body."""

    code = "HL-HTTP-0025"
    status = 422
    default_hint = "a new body needs a new key; the same body may be sent again with the same one"


class BusyKeyError(RepeatError):
    """The first request with this key is still under way."""

    status = 409
    retry_after = 1


class CrowdError(HttpError):
    """Too many requests at once."""

    code = "HL-HTTP-0026"
    status = 429
    retry_after = 1
    default_hint = "send fewer, larger requests, or raise 'concurrent'"


class FullError(HttpError):
    """The journal is full: later."""

    code = "HL-HTTP-0027"
    status = 503
    retry_after = 5
    default_hint = "keep it and send it again; 'hulian status' tells why the journal does not drain"


class TypeFitError(HttpError):
    """Values of another type than their point."""

    code = "HL-HTTP-0028"
    default_hint = "give the point the type that is sent"
