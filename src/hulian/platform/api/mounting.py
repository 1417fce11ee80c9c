"""Further interfaces on this server: behind the same gate, with refusals in the form that their clients know."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response
from litestar.handlers import ASGIRouteHandler, asgi
from litestar.types import Receive, Scope, Send

from hulian.kernel.errors import HulianError
from hulian.platform.api.access import public
from hulian.platform.api.contract import Mount
from hulian.platform.api.errors import LoginRequiredError
from hulian.platform.api.refusals import status_of

__all__ = ["mounted"]


def mounted(path: str, mount: Mount) -> ASGIRouteHandler:
    """The route of ``mount``. Everybody who is logged in gets through to it: it authorises by itself."""

    def refused(_: Request[Any, Any, Any], error: HulianError) -> Response[bytes]:
        status = status_of(error)
        headers = {"WWW-Authenticate": 'Bearer realm="hulian"'} if status == 401 else {}
        body = mount.refusal(error, status)
        return Response(
            body, media_type="application/json", status_code=status, headers={"Cache-Control": "no-store", **headers}
        )

    @asgi(path, is_mount=True, copy_scope=True, opt=public(), exception_handlers={HulianError: refused})
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["state"]["visitor"].principal is None:
            # Before anything of the interface is loaded.
            raise LoginRequiredError("this needs a login", hint="send 'Authorization: Bearer TOKEN'")
        await mount.application(scope, receive, send)

    return serve
