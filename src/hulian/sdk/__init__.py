"""The Python client of a running platform.

>>> import hulian
>>> platform = hulian.connect("http://127.0.0.1:8080", token="hlt_example")
>>> platform
<Platform http://127.0.0.1:8080>
"""

from hulian.sdk.errors import (
    BrokenAnswerError,
    ConflictError,
    DeviceError,
    NotAvailableError,
    NotLoggedInError,
    NotReachableError,
    PlatformError,
    RefusedError,
    SlowDownError,
    UnknownNameError,
)
from hulian.sdk.history import History
from hulian.sdk.platform import AsyncPlatform, Platform
from hulian.sdk.records import Sample

__all__ = [
    "AsyncPlatform",
    "BrokenAnswerError",
    "ConflictError",
    "DeviceError",
    "History",
    "NotAvailableError",
    "NotLoggedInError",
    "NotReachableError",
    "Platform",
    "PlatformError",
    "RefusedError",
    "Sample",
    "SlowDownError",
    "UnknownNameError",
]
