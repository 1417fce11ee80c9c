"""The application: every route under one guard, one set of error answers and one set of headers."""

from __future__ import annotations

from typing import Final

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.types import Message, Scope

from hulian.kernel.version import VERSION
from hulian.platform.api.access import COOKIE, needs
from hulian.platform.api.console import Console, console_routes
from hulian.platform.api.context import Context
from hulian.platform.api.contract import Dependencies
from hulian.platform.api.mounting import mounted
from hulian.platform.api.refusals import HANDLERS
from hulian.platform.api.routes import ALL
from hulian.platform.api.routes.reference import ReferencePage
from hulian.trust import Action

__all__ = ["BASE", "build_application", "context_of"]

BASE: Final = "/api/v1"

_HEADERS: Final = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), serial=(), geolocation=(), microphone=(), payment=(), usb=()",
    }.items()
)
_SCAN_PAGE: Final = "/identifiers/scan"
_DECODER: Final = "/assets/decoder."
_OWN_HEADERS: Final = {
    # The camera, and a scan gun on a serial port, for the page that scans and no other.
    _SCAN_PAGE: (b"permissions-policy", b"camera=(self), serial=(self), geolocation=(), microphone=(), payment=(), usb=()"),
    # A worker has a policy of its own: the barcode reader is WebAssembly, and nothing else of the console is.
    _DECODER: (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; base-uri 'none'",
    ),
}
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")


async def _secure(message: Message, scope: Scope) -> None:
    """Every answer carries the security headers; answers of the API are never kept by a cache unless they say so."""
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", ()))
    path = scope.get("path", "")
    own = _OWN_HEADERS.get(_DECODER if path.startswith(_DECODER) else path.rstrip("/"))
    headers.extend(header for header in _HEADERS if own is None or header[0] != own[0])
    if own is not None:
        headers.append(own)
    if scope.get("scheme") == "https":
        headers.append(_STRICT_TRANSPORT)
    if path.startswith("/api/") and not any(name.lower() == b"cache-control" for name, _ in headers):
        headers.append((b"cache-control", b"no-store"))
    message["headers"] = headers


def build_application(dependencies: Dependencies) -> Litestar:
    """The ASGI application. Its live hub, status board and jobs live in `context_of(app)`; `ApiService` runs them."""
    context = Context(dependencies)
    console = Console(dependencies.console)
    reference = Router(f"{BASE}/schema", route_handlers=[], include_in_schema=False, opt=needs(Action.POINTS_READ))
    app = Litestar(
        route_handlers=[
            Router(BASE, route_handlers=ALL),
            *(mounted(path, mount) for path, mount in dependencies.mounts.items()),
            *console_routes(console),
        ],
        guards=[context.gate.admit],
        dependencies={"context": Provide(lambda: context, sync_to_thread=False)},
        exception_handlers=HANDLERS,
        before_send=[_secure],
        request_max_body_size=dependencies.configuration.body_limit,
        logging_config=None,
        openapi_config=_openapi(reference),
        state=None,
        signature_types=[Context],
    )
    app.state.context = context
    return app


def context_of(app: Litestar) -> Context:
    """The shared context of a built application."""
    found: Context = app.state.context
    return found


def _openapi(router: Router) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Hulian",
        version=VERSION,
        description="Points, history and live data of a plant; connectors, users and the rest of the platform.",
        openapi_router=router,
        render_plugins=[ReferencePage()],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "session": SecurityScheme(type="apiKey", name=COOKIE, security_scheme_in="cookie"),
                "token": SecurityScheme(type="http", scheme="bearer", bearer_format="hlt_…"),
            }
        ),
        security=[{"session": []}, {"token": []}],
        tags=[Tag(name=name, description=text) for name, text in _TAGS.items()],
    )


_TAGS: Final[dict[str, str]] = {
    "session": "Logging in and out.",
    "points": "What is measured: points, things and the plant above them.",
    "history": "What was: last values, windows, aggregates, export and import.",
    "live": "What is: Server-Sent Events.",
    "connectors": "Where it comes from: connections to devices.",
    "edges": "Nodes beside the machines: invitation, approval, revocation.",
    "identifiers": "Names: resolved, printed on labels, kept in records; the nodes that answer for them.",
    "model": "What it means: documents of the information model, found by meaning, bound to points.",
    "dictionary": "What words and tags mean: dictionaries of concepts, units, suggestions and confirmations.",
    "records": "What happened: ledger, events, annotations, audit.",
    "accounts": "Who may: users, tokens, device credentials, certificates.",
    "system": "How it is: health, metrics, jobs.",
}
