"""What a client of a platform may meet.

    HulianError
    └── PlatformError           the platform's own code where it answered, else HL-SDK-0000
        ├── NotReachableError       HL-SDK-0001   no platform answers at the address
        ├── NotLoggedInError        401  no login, or one that has ended
        ├── RefusedError            403  the login does not allow this
        ├── UnknownNameError        404
        ├── ConflictError           409
        ├── SlowDownError           429  ``retry_after`` seconds to wait
        ├── DeviceError             502, 504  a device or connector did not do as asked
        ├── NotAvailableError       503  a part of the platform does not answer
        └── BrokenAnswerError       HL-SDK-0002   an answer broke off or is not what it should be

The code, the message, the place and the hint are the platform's, as the console shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hulian.kernel.errors import HulianError
from hulian.kernel.unreadable import UNREADABLE

__all__ = [
    "BrokenAnswerError",
    "ConflictError",
    "DeviceError",
    "NotAvailableError",
    "NotLoggedInError",
    "NotReachableError",
    "PlatformError",
    "RefusedError",
    "SlowDownError",
    "UnknownNameError",
    "error_of",
]


class PlatformError(HulianError):
    """The root. ``code`` is the platform's, ``status`` the HTTP status it answered with (0: none)."""

    code = "HL-SDK-0000"

    def __init__(
        self, message: str, *, code: str = "", status: int = 0, place: str = "", hint: str = "", retry_after: float = 0
    ) -> None:
        super().__init__(message, place=place, hint=hint)
        if code:
            self.code = code  # type: ignore[misc]
        self.status = status
        self.retry_after = retry_after


class NotReachableError(PlatformError):
    """No platform answers at the address."""

    code = "HL-SDK-0001"
    default_hint = "is it running? 'hulian up' starts one, 'hulian status' looks at it"


class NotLoggedInError(PlatformError):
    """No login, or one that has ended."""


class RefusedError(PlatformError):
    """The login does not allow this."""


class UnknownNameError(PlatformError):
    """There is nothing of this name."""


class ConflictError(PlatformError):
    """What is asked for contradicts what there is."""


class SlowDownError(PlatformError):
    """Too many at a time; ``retry_after`` says how many seconds to wait."""


class DeviceError(PlatformError):
    """A device or its connector did not do as asked."""


class NotAvailableError(PlatformError):
    """A part of the platform does not answer now."""


class BrokenAnswerError(PlatformError):
    """An answer broke off, or is not what it should be."""

    code = "HL-SDK-0002"
    default_hint = "is the address that of a Hulian platform, and of this version?"


_BY_STATUS: Final[dict[int, type[PlatformError]]] = {
    401: NotLoggedInError,
    403: RefusedError,
    404: UnknownNameError,
    409: ConflictError,
    429: SlowDownError,
    502: DeviceError,
    503: NotAvailableError,
    504: DeviceError,
}


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> PlatformError:
    """The error behind an answer with ``status``."""
    try:
        document: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE:
        document = {}
    if "code" not in document:
        return BrokenAnswerError(f"an answer with status {status} that no Hulian platform gives", status=status)
    waits = headers.get("retry-after", "")
    return _BY_STATUS.get(status, PlatformError)(
        str(document.get("message", "")),
        code=str(document["code"]),
        status=status,
        place=str(document.get("place", "")),
        hint=str(document.get("hint", "")),
        retry_after=float(waits) if waits.isdecimal() else 0,
    )
