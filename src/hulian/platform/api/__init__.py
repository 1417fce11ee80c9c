"""HTTP and Server-Sent Events: who may ask what; serves the built console.

`build_application` makes the ASGI application from `Dependencies`; `ApiService` serves it. The calls stand in `routes`,
who is let in is decided in `access`, and nowhere else.
"""

from hulian.platform.api.application import build_application
from hulian.platform.api.configuration import ApiConfiguration
from hulian.platform.api.contract import Dependencies
from hulian.platform.api.service import ApiService

__all__ = ["ApiConfiguration", "ApiService", "Dependencies", "build_application"]
