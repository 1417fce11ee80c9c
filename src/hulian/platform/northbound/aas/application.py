"""The ASGI application: bounds and rights first, then one request on one thread, then the answer.

It is mounted into the API's server, whose gate has checked the host, the login and the cross-site proof before; who asks
stands in the scope's state. What it serves is `hulian.network.exchange.semantics.aas.api` over the model.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.exchange.semantics.aas.api.contract import Answer, ApiError, Collection, Request
from hulian.network.exchange.semantics.aas.api.paths import decoded_id
from hulian.network.exchange.semantics.aas.api.service import perform, refusal, routed
from hulian.network.exchange.semantics.errors import ChangedError, DocumentError, SemanticsError
from hulian.network.exchange.semantics.model import Model
from hulian.network.exchange.semantics.model.excerpts import Excerpts
from hulian.platform.northbound.aas.bounds import BODY, BODY_SECONDS, FILE, PATH, TRIES, WAIT_SECONDS, WORKERS
from hulian.platform.northbound.aas.directory import Directory
from hulian.platform.northbound.aas.forms import media_type, query_of, upload_of
from hulian.platform.northbound.aas.live import LivePoints
from hulian.platform.northbound.aas.rights import Caller, Rights, right_of
from hulian.platform.northbound.aas.store import ModelStore
from hulian.platform.northbound.errors import (
    OF_STATUS,
    AasBusyError,
    AasChangedError,
    AasConflictError,
    AasDefectError,
    AasRequestError,
    AasTooLargeError,
    NorthboundError,
)
from hulian.registry.errors import RegistryError
from hulian.trust import Trust

__all__ = ["VERSIONS", "AasApplication"]

VERSIONS: Final = ("v3.0", "v3.1")
"""Versions of the interface, as its address ends."""
_BASE: Final = re.compile(r"^(/.*?/v3\.[01])(/.*)?$")
_FILE_PATH: Final = re.compile(r"/(?:attachment|thumbnail)/?$")
_TARGET: Final = re.compile(
    r"^/(?P<collection>shells|submodels|concept-descriptions|shell-descriptors|submodel-descriptors)/(?P<id>[^/]+)"
    r"(?:/submodels/(?P<submodel>[^/]+))?(?:/submodel-elements/(?P<path>[^/$]+)(?:/\$value)?)?"
)
_ETAG: Final = re.compile(r'(?:W/)?"([^"]*)"')

_log = structlog.get_logger("hulian.northbound.aas")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Asked(msgspec.Struct):
    """One request, as far as it was looked at."""

    method: str
    head: bool
    base: str
    path: str
    operation: str
    caller: Any
    headers: dict[str, str]
    scope: Any
    rights: Any = None


class AasApplication:
    """Serves what ``model`` has; ``live`` gives the newest values of live points. One a process."""

    def __init__(self, model: Model, excerpts: Excerpts, trust: Trust, live: LivePoints) -> None:
        self._model, self._excerpts, self._trust, self._live = model, excerpts, trust, live
        self._directory = Directory(excerpts)
        self._writing = threading.Lock()
        self._workers = anyio.CapacityLimiter(WORKERS)
        self._turns = anyio.Semaphore(WORKERS)
        self._bodies = anyio.Semaphore(2 * WORKERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. See the ASGI specification; ``scope["state"]["visitor"]`` is a `Caller`."""
        try:
            answer = await self._answer(scope, receive)
        except HulianError as error:
            answer = _refused(error)
        except Exception as error:  # noqa: BLE001 - a defect is told in the form of the standard, under a reference
            reference = secrets.token_hex(4)
            _log.error("defect in a request", reference=reference, method=scope["method"], path=scope["path"], exc_info=error)
            answer = _refused(AasDefectError(f"this should not have happened (reference {reference})"))
        await _send(answer, send, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        asked = await anyio.to_thread.run_sync(self._admitted, scope)
        query = query_of(scope.get("query_string", b""))
        body, kind = b"", asked.headers.get("content-type", "application/json")
        if asked.method not in ("GET", "DELETE"):
            file = _FILE_PATH.search(asked.path) is not None
            body = await self._body(asked, receive, FILE if file else BODY)
            if file:
                upload = await anyio.to_thread.run_sync(upload_of, body, kind)
                body, kind = upload.content, upload.media_type
        request = Request(
            method=asked.method,
            path=asked.path,
            query=query,
            body=body,
            media_type=media_type(kind),
            accept=asked.headers.get("accept", ""),
            root=f"{scope.get('scheme', 'http')}://{asked.headers.get('host', '')}{asked.base}",
        )
        try:
            with anyio.fail_after(WAIT_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise AasBusyError("too many requests are worked on") from None
        try:
            return await anyio.to_thread.run_sync(self._worked, asked, request, limiter=self._workers)
        finally:
            self._turns.release()

    def _admitted(self, scope: Scope) -> _Asked:
        """Login, then path, then right; before a byte of the body. Blocks shortly."""
        caller: Caller = scope["state"]["visitor"]
        rights = Rights(self._trust, caller)
        rights.name  # noqa: B018 - raises where nobody is logged in
        raw = scope.get("raw_path") or scope["path"].encode()
        if len(raw) + len(scope.get("query_string", b"")) > PATH:
            raise AasRequestError(f"path and query have more than {PATH} bytes")
        found = _BASE.match(raw.decode("ascii", "replace"))
        if found is None:
            raise AasRequestError("the address has no version of the interface", hint=f"one of: {', '.join(VERSIONS)}")
        method = scope["method"]
        path = re.sub("%24", "$", found[2] or "/")
        head = method == "HEAD"
        try:
            _, names, operation = routed("GET" if head else method, path)
        except ApiError as error:
            raise OF_STATUS[error.status](error.text) from error
        rights.check(right_of("GET" if head else method, operation), _resource(names))
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
        return _Asked("GET" if head else method, head, found[1], path, operation, caller, headers, scope, rights)

    async def _body(self, asked: _Asked, receive: Receive, most: int) -> bytes:
        """All of a body. Raises `AasTooLargeError` before it is held where it says its length."""
        length = asked.headers.get("content-length", "")
        if length.isdigit() and int(length[:18]) > most:
            raise AasTooLargeError(f"the body has {int(length[:18]):,} bytes, more than {most:,}")
        parts: list[bytes] = []
        size = 0
        with anyio.move_on_after(BODY_SECONDS):
            async with self._bodies:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise AasRequestError("the client went away")
                    part = message.get("body", b"")
                    size += len(part)
                    ended = not message.get("more_body", False)
                    if size > most:
                        # A client that sends reads the refusal when it has sent: some of the rest is let go by.
                        parts.clear()
                        if ended or size > most + FILE:
                            raise AasTooLargeError(f"the body has more than {most:,} bytes")
                        continue
                    parts.append(part)
                    if ended:
                        return b"".join(parts)
        raise AasBusyError(f"the body did not come within {BODY_SECONDS:.0f} s")

    # ------------------------------------------------ on a thread

    def _worked(self, asked: _Asked, request: Request) -> Answer:
        try:
            if right_of(asked.method, asked.operation) == "read":
                return self._read(asked, request)
            return self._changed(asked, request)
        except ApiError as error:
            raise OF_STATUS.get(error.status, AasDefectError)(error.text) from error
        except NorthboundError:
            raise
        except ChangedError as error:
            raise AasConflictError(error.message, hint="others change it all the time; try again") from error
        except DocumentError as error:
            raise AasRequestError(error.message, place=error.place) from error
        except SemanticsError as error:
            raise AasConflictError(f"{error.code}: {error.message}", place=error.place, hint=error.hint) from error
        except RegistryError as error:
            raise AasBusyError(error.message, hint=error.hint) from error

    def _store(self, asked: _Asked, request: Request, live: LivePoints | None) -> ModelStore:
        return ModelStore(self._model, self._excerpts, self._directory, live, who=asked.rights.name, root=request.root)

    def _read(self, asked: _Asked, request: Request) -> Answer:
        store = self._store(asked, request, self._live)
        answer = perform(request, store, asked.rights)
        headers = dict(answer.headers)
        collection, identity, path = _target(asked.path)
        if collection is not None:
            item = store.shown.get(collection, identity)
            if item is not None:
                headers["ETag"] = f'"{item.version}"'
            sampled = store.sampled(identity, path) if path else None
            if sampled is not None:
                moment = datetime.fromtimestamp(sampled // 1_000_000_000, UTC)
                headers["Last-Modified"] = format_datetime(moment, usegmt=True)
        if _FILE_PATH.search(asked.path):
            # A file of somebody's package is never shown as a page of this site.
            headers["Content-Disposition"] = "attachment"
            headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return msgspec.structs.replace(answer, headers=headers, media_type=_plain(answer.media_type))

    def _changed(self, asked: _Asked, request: Request) -> Answer:
        """One change at a time in this process; where another process was faster, the request is done anew."""
        if not self._writing.acquire(timeout=WAIT_SECONDS):
            raise AasBusyError("other changes take long")
        try:
            for tried in range(1, TRIES + 1):
                store = self._store(asked, request, None)
                self._expected(asked, store)
                try:
                    answer = perform(request, store, asked.rights)
                except ChangedError:
                    if store.changes or tried == TRIES:
                        raise
                    time.sleep(0.01 * tried)
                    continue
                finally:
                    if store.changes:
                        asked.rights.record(asked.operation, _changed_thing(asked.path), {"changes": store.changes})
                return answer
        finally:
            self._writing.release()
        raise AasConflictError("others change it all the time; nothing was changed", hint="try again")

    @staticmethod
    def _expected(asked: _Asked, store: ModelStore) -> None:
        """If-Match (RFC 9110, 13.1.1): what is changed must still be what the client has seen."""
        wanted, unwanted = asked.headers.get("if-match"), asked.headers.get("if-none-match")
        if wanted is None and unwanted is None:
            return
        collection, identity, _ = _target(asked.path)
        item = store.shown.get(collection, identity) if collection is not None else None
        if unwanted is not None and unwanted.strip() == "*" and item is not None:
            raise AasChangedError("it is there already", hint="without If-None-Match it is replaced")
        if wanted is None:
            return
        if item is None or (wanted.strip() != "*" and str(item.version) not in _ETAG.findall(wanted)):
            raise AasChangedError("it is not as it was when it was read")


def _target(path: str) -> tuple[Collection | None, str, str]:
    """Collection, id and idShortPath that a path is about."""
    found = _TARGET.match(path)
    if found is None:
        return None, "", ""
    through = found["submodel"] is not None
    collection: Collection = "submodels" if through else found["collection"]  # type: ignore[assignment]
    try:
        return collection, decoded_id(found["submodel"] if through else found["id"]), unquote(found["path"] or "")
    except ApiError:
        return None, "", ""


def _changed_thing(path: str) -> str:
    """What a change was of, as the trail names it."""
    collection, identity, element = _target(path)
    if collection is None:
        return f"aas:{unquote(path)}"
    return f"aas:{collection}/{identity}" + (f"#{element}" if element else "")


def _resource(names: dict[str, str]) -> str:
    told = names.get("submodel") or names.get("id") or ""
    try:
        return f"aas:{decoded_id(told)}"[:500] if told else "aas:"
    except ApiError:
        return "aas:"


def _plain(kind: str) -> str:
    return media_type(kind)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refused(error: HulianError) -> Answer:
    """The Result object of the standard, with our code, the place and what to do next."""
    status = error.status if isinstance(error, NorthboundError) else 500
    place = f" ({error.place})" if error.place else ""
    text = f"{error.message}{place}" + (f"; {error.hint}" if error.hint else "")
    answer = refusal(status, error.code, text, _now())
    if status == 401:
        return msgspec.structs.replace(answer, headers={"WWW-Authenticate": 'Bearer realm="hulian"'})
    if status == 503:
        return msgspec.structs.replace(answer, headers={"Retry-After": "5"})
    return answer


async def _send(answer: Answer, send: Send, *, head: bool) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode())]
    if answer.body or answer.status not in (204, 304):
        headers.append((b"content-type", answer.media_type.encode("latin-1", "replace")))
    headers.append((b"cache-control", b"no-store"))
    for name, value in answer.headers.items():
        headers.append((name.lower().encode(), re.sub(r"[^\x20-\x7e]", "?", value).encode()))
    if answer.status == 204:
        headers = headers[1:]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
