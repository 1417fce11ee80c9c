"""The two clients: `Platform` blocks, `AsyncPlatform` is awaited; both make the calls of `hulian.sdk.calls`."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import httpx
import msgspec

from hulian.sdk import calls, records
from hulian.sdk.errors import BrokenAnswerError, NotReachableError, PlatformError, error_of
from hulian.sdk.flow import Reply, Request, awaiting, blocking
from hulian.sdk.stream import EventReader, samples_of

__all__ = ["AsyncPlatform", "Platform"]

BASE: Final = "/api/v1"
_SAFE: Final = frozenset({"GET", "HEAD"})
_SILENCE: Final = 30.0
"""Seconds without a byte after which a live stream counts as broken; the platform sends a comment every 10."""
_TYPES: Final = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}


class _Client:
    """What both clients know: the address, how to prove who we are, and how an answer is read."""

    def __init__(self, url: str, token: str | None, verify: bool | str | Path | None) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotReachableError(f"{url!r} is not the address of a platform", hint="write it as http://127.0.0.1:8080")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._token = token if token is not None else os.environ.get("HULIAN_TOKEN")
        given = verify if verify is not None else os.environ.get("HULIAN_CA") or True
        self._verify: Any = given if isinstance(given, bool) else _trusting(Path(given))
        self._csrf = ""

    def _headers(self, method: str, accept: str) -> dict[str, str]:
        headers = {"accept": accept}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        if self._csrf and method not in _SAFE:
            headers["x-hulian-csrf"] = self._csrf
        return headers

    def _arguments(self, request: Request) -> dict[str, Any]:
        headers = self._headers(request.method, request.accept)
        content = request.content
        if content is not None:
            headers["content-type"] = "application/octet-stream"
        if request.body is not None:
            content = msgspec.json.encode(request.body)
            headers["content-type"] = "application/json"
        return {
            "method": request.method,
            "url": BASE + request.path,
            "params": dict(request.query),
            "content": content,
            "headers": headers,
            "timeout": httpx.Timeout(request.seconds, connect=10.0),
        }

    def _reply(self, response: httpx.Response) -> Reply:
        if response.status_code >= 400:
            raise error_of(response.status_code, response.headers, response.content)
        return Reply(response.status_code, response.headers, response.content)

    def _unreachable(self, error: httpx.HTTPError) -> PlatformError:
        if isinstance(error, httpx.TimeoutException):
            return NotReachableError("the platform did not answer in time", place=self.url)
        if isinstance(error, httpx.ConnectError):
            return NotReachableError(f"no platform answers: {error}", place=self.url, hint=_hint(str(error)))
        return BrokenAnswerError(f"the answer broke off: {error or type(error).__name__}", place=self.url)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"


def _hint(text: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "give the platform's own authority: verify='ca.pem' or $HULIAN_CA; it is at /api/v1/ca.pem"
    return ""


def _trusting(authority: Path) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=str(authority))
    except OSError as error:
        raise NotReachableError(f"cannot read the authority's certificate: {error}", place=str(authority)) from error


def _export(points: str | Iterable[str], form: str, window: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    names = [points] if isinstance(points, str) else list(points)
    return {"points": names, "format": form, **window, **more}


class Platform(_Client):
    """A running platform, for scripts, notebooks and the command line.

    ``url`` is where the console is; ``token`` an API token (``$HULIAN_TOKEN``), or `login` with user and password.
    ``verify`` is the file of the platform's own authority where it serves HTTPS with a certificate of its own
    (``$HULIAN_CA``). Errors are `PlatformError` with the platform's code and hint. Close it, or use it in ``with``.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8080", *, token: str | None = None, verify: bool | str | Path | None = None
    ) -> None:
        super().__init__(url, token, verify)
        self._http = httpx.Client(base_url=self.url, verify=self._verify, follow_redirects=False)

    def close(self) -> None:
        """Ends the connections; the login stays valid until `logout`."""
        self._http.close()

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _send(self, request: Request) -> Reply:
        try:
            return self._reply(self._http.request(**self._arguments(request)))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def login(self, user: str, password: str) -> records.Session:
        """Logs in; the session lives in this client."""
        reply = self._send(Request("POST", "/session", body={"user": user, "password": password}))
        session = msgspec.json.decode(reply.body, type=records.Session)
        self._csrf = session.csrf
        return session

    def logout(self) -> None:
        """Ends the session on the platform."""
        self._send(Request("DELETE", "/session"))
        self._csrf = ""
        self._http.cookies.clear()

    @contextmanager
    def _stream(
        self, method: str, path: str, *, body: Any = None, query: Any = None, silence: float
    ) -> Iterator[httpx.Response]:
        arguments = self._arguments(Request(method, path, query=query or {}, body=body, accept="*/*"))
        arguments["timeout"] = httpx.Timeout(silence, connect=10.0)
        try:
            with self._http.stream(**arguments) as response:
                if response.status_code >= 400:
                    raise error_of(response.status_code, response.headers, response.read())
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def live(self, points: str | Iterable[str]) -> Iterator[records.Sample]:
        """Values as they arrive, the last known ones first; for ever, until the caller stops or the link breaks."""
        found = {item.series: item.name for item in self.last(points)}
        reader = EventReader()
        with self._stream("GET", "/live", query={"points": ",".join(found)}, silence=_SILENCE) as response:
            for chunk in response.iter_raw():
                for event, data in reader.feed(chunk):
                    if event == "samples":
                        yield from samples_of(data, found)

    def export(
        self,
        target: str | Path,
        points: str | Iterable[str],
        *,
        last: calls.Span | None = None,
        start: calls.Moment | None = None,
        end: calls.Moment | None = None,
        progress: Callable[[int], None] | None = None,
        **question: Any,
    ) -> int:
        """Writes history to a ``.csv`` or ``.parquet`` file of any size; how many bytes. Nothing is left of a broken one."""
        path = Path(target)
        partial = path.with_name(path.name + ".part")
        body = _export(points, _form(path), calls.window(last, start, end), question)
        written = 0
        try:
            with partial.open("wb") as file, self._stream("POST", "/exports", body=body, silence=120.0) as response:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    written += len(chunk)
                    if progress:
                        progress(written)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return written

    def import_file(
        self,
        source: str | Path,
        *,
        dry_run: bool = False,
        skip_bad: bool = False,
        progress: Callable[[records.Job], None] | None = None,
    ) -> records.Job:
        """Brings a CSV or Parquet file of samples into the history and waits for it. Raises what the import ended with.

        Columns: ``point``, ``time``, ``value`` and optionally ``status``, as `export` writes them. Where a row is bad nothing
        is written, unless ``skip_bad``; a dry run tells the first hundred ``problems``. The same file twice doubles nothing.
        """
        path = Path(source)
        headers = {**self._headers("POST", "application/json"), "content-type": _TYPES[f".{_form(path)}"]}
        query = {"dry_run": str(dry_run).lower(), "skip_bad": str(skip_bad).lower(), "name": path.name}
        try:
            with path.open("rb") as file:
                response = self._http.post(
                    f"{BASE}/imports", params=query, content=file, headers=headers, timeout=httpx.Timeout(600.0, connect=10.0)
                )
            job = msgspec.json.decode(self._reply(response).body, type=records.Job)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        while job.state == "running":
            if progress:
                progress(job)
            time.sleep(0.2)
            job = self.job(job.id)
        if progress:
            progress(job)
        return _ended(job)

    session = blocking(calls.session)
    change_password = blocking(calls.change_password)
    health = blocking(calls.health)
    points = blocking(calls.points)
    point = blocking(calls.point)
    change_point = blocking(calls.change_point)
    tree = blocking(calls.tree)
    point_list = blocking(calls.point_list)
    preview_points = blocking(calls.preview_points)
    apply_points = blocking(calls.apply_points)
    preview_edit = blocking(calls.preview_edit)
    edit_points = blocking(calls.edit_points)
    templates = blocking(calls.templates)
    template = blocking(calls.template)
    template_of = blocking(calls.template_of)
    keep_template = blocking(calls.keep_template)
    remove_template = blocking(calls.remove_template)
    preview_instances = blocking(calls.preview_instances)
    make_instances = blocking(calls.make_instances)
    copy_connector = blocking(calls.copy_connector)
    last = blocking(calls.last)
    history = blocking(calls.history)
    downsampled = blocking(calls.downsampled)
    aligned = blocking(calls.aligned)
    at = blocking(calls.at)
    states = blocking(calls.states)
    correct = blocking(calls.correct)
    edges = blocking(calls.edges)
    invite_edge = blocking(calls.invite_edge)
    edge_invitations = blocking(calls.edge_invitations)
    withdraw_invitation = blocking(calls.withdraw_invitation)
    decide_edge = blocking(calls.decide_edge)
    remove_edge = blocking(calls.remove_edge)
    enrol = blocking(calls.enrol)
    claim_enrolment = blocking(calls.claim_enrolment)
    connectors = blocking(calls.connectors)
    connector = blocking(calls.connector)
    protocols = blocking(calls.protocols)
    browse = blocking(calls.browse)
    propose = blocking(calls.propose)
    create_connector = blocking(calls.create_connector)
    change_connector = blocking(calls.change_connector)
    remove_connector = blocking(calls.remove_connector)
    restart_connector = blocking(calls.restart_connector)
    command = blocking(calls.command)
    dry_run = blocking(calls.dry_run)
    certificates = blocking(calls.certificates)
    decide_certificate = blocking(calls.decide_certificate)
    ledger = blocking(calls.ledger)
    events = blocking(calls.events)
    annotations = blocking(calls.notes)
    annotate = blocking(calls.annotate)
    remove_annotation = blocking(calls.remove_annotation)
    audit = blocking(calls.audit)
    job = blocking(calls.job)
    model_import = blocking(calls.model_import)
    model_begin = blocking(calls.model_begin)
    model_preview = blocking(calls.model_preview)
    model_apply = blocking(calls.model_apply)
    model_discard = blocking(calls.model_discard)
    model_versions = blocking(calls.model_versions)
    proposals = blocking(calls.proposals)
    apply_proposals = blocking(calls.apply_proposals)
    users = blocking(calls.users)
    create_user = blocking(calls.create_user)
    change_user = blocking(calls.change_user)
    remove_user = blocking(calls.remove_user)
    tokens = blocking(calls.tokens)
    create_token = blocking(calls.create_token)
    revoke_token = blocking(calls.revoke_token)
    devices = blocking(calls.devices)
    create_device = blocking(calls.create_device)
    remove_device = blocking(calls.remove_device)


def _form(path: Path) -> str:
    form = path.suffix.lstrip(".").lower()
    if f".{form}" not in _TYPES:
        raise ValueError(f"{path.name}: the name ends in neither .csv nor .parquet")
    return form


def _ended(job: records.Job) -> records.Job:
    if job.error:
        raise PlatformError(
            job.error.get("message", ""),
            code=job.error.get("code", ""),
            place=job.error.get("place", ""),
            hint=job.error.get("hint", ""),
        )
    return job


class AsyncPlatform(_Client):
    """`Platform`, to be awaited: the same calls, the same errors."""

    def __init__(
        self, url: str = "http://127.0.0.1:8080", *, token: str | None = None, verify: bool | str | Path | None = None
    ) -> None:
        super().__init__(url, token, verify)
        self._http = httpx.AsyncClient(base_url=self.url, verify=self._verify, follow_redirects=False)

    async def close(self) -> None:
        """Ends the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncPlatform:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def _send(self, request: Request) -> Reply:
        try:
            return self._reply(await self._http.request(**self._arguments(request)))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def login(self, user: str, password: str) -> records.Session:
        """Logs in; the session lives in this client."""
        reply = await self._send(Request("POST", "/session", body={"user": user, "password": password}))
        session = msgspec.json.decode(reply.body, type=records.Session)
        self._csrf = session.csrf
        return session

    async def logout(self) -> None:
        """Ends the session on the platform."""
        await self._send(Request("DELETE", "/session"))
        self._csrf = ""
        self._http.cookies.clear()

    @asynccontextmanager
    async def _stream(
        self, method: str, path: str, *, body: Any = None, query: Any = None, silence: float
    ) -> AsyncIterator[httpx.Response]:
        arguments = self._arguments(Request(method, path, query=query or {}, body=body, accept="*/*"))
        arguments["timeout"] = httpx.Timeout(silence, connect=10.0)
        try:
            async with self._http.stream(**arguments) as response:
                if response.status_code >= 400:
                    raise error_of(response.status_code, response.headers, await response.aread())
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def live(self, points: str | Iterable[str]) -> AsyncIterator[records.Sample]:
        """Values as they arrive, the last known ones first; for ever."""
        found = {item.series: item.name for item in await self.last(points)}
        reader = EventReader()
        async with self._stream("GET", "/live", query={"points": ",".join(found)}, silence=_SILENCE) as response:
            async for chunk in response.aiter_raw():
                for event, data in reader.feed(chunk):
                    if event == "samples":
                        for sample in samples_of(data, found):
                            yield sample

    async def export(
        self,
        target: str | Path,
        points: str | Iterable[str],
        *,
        last: calls.Span | None = None,
        start: calls.Moment | None = None,
        end: calls.Moment | None = None,
        **question: Any,
    ) -> int:
        """Writes history to a ``.csv`` or ``.parquet`` file; how many bytes. Nothing is left of a broken one."""
        path = anyio.Path(target)
        partial = path.with_name(path.name + ".part")
        body = _export(points, _form(Path(target)), calls.window(last, start, end), question)
        written = 0
        try:
            async with await partial.open("wb") as file, self._stream("POST", "/exports", body=body, silence=120.0) as response:
                async for chunk in response.aiter_bytes():
                    written += await file.write(chunk)
            await partial.replace(path)
        finally:
            await partial.unlink(missing_ok=True)
        return written

    session = awaiting(calls.session)
    change_password = awaiting(calls.change_password)
    health = awaiting(calls.health)
    points = awaiting(calls.points)
    point = awaiting(calls.point)
    change_point = awaiting(calls.change_point)
    tree = awaiting(calls.tree)
    point_list = awaiting(calls.point_list)
    preview_points = awaiting(calls.preview_points)
    apply_points = awaiting(calls.apply_points)
    preview_edit = awaiting(calls.preview_edit)
    edit_points = awaiting(calls.edit_points)
    templates = awaiting(calls.templates)
    template = awaiting(calls.template)
    template_of = awaiting(calls.template_of)
    keep_template = awaiting(calls.keep_template)
    remove_template = awaiting(calls.remove_template)
    preview_instances = awaiting(calls.preview_instances)
    make_instances = awaiting(calls.make_instances)
    copy_connector = awaiting(calls.copy_connector)
    last = awaiting(calls.last)
    history = awaiting(calls.history)
    downsampled = awaiting(calls.downsampled)
    aligned = awaiting(calls.aligned)
    at = awaiting(calls.at)
    states = awaiting(calls.states)
    correct = awaiting(calls.correct)
    edges = awaiting(calls.edges)
    invite_edge = awaiting(calls.invite_edge)
    edge_invitations = awaiting(calls.edge_invitations)
    withdraw_invitation = awaiting(calls.withdraw_invitation)
    decide_edge = awaiting(calls.decide_edge)
    remove_edge = awaiting(calls.remove_edge)
    enrol = awaiting(calls.enrol)
    claim_enrolment = awaiting(calls.claim_enrolment)
    connectors = awaiting(calls.connectors)
    connector = awaiting(calls.connector)
    protocols = awaiting(calls.protocols)
    browse = awaiting(calls.browse)
    propose = awaiting(calls.propose)
    create_connector = awaiting(calls.create_connector)
    change_connector = awaiting(calls.change_connector)
    remove_connector = awaiting(calls.remove_connector)
    restart_connector = awaiting(calls.restart_connector)
    command = awaiting(calls.command)
    dry_run = awaiting(calls.dry_run)
    certificates = awaiting(calls.certificates)
    decide_certificate = awaiting(calls.decide_certificate)
    ledger = awaiting(calls.ledger)
    events = awaiting(calls.events)
    annotations = awaiting(calls.notes)
    annotate = awaiting(calls.annotate)
    remove_annotation = awaiting(calls.remove_annotation)
    audit = awaiting(calls.audit)
    job = awaiting(calls.job)
    model_import = awaiting(calls.model_import)
    model_begin = awaiting(calls.model_begin)
    model_preview = awaiting(calls.model_preview)
    model_apply = awaiting(calls.model_apply)
    model_discard = awaiting(calls.model_discard)
    model_versions = awaiting(calls.model_versions)
    proposals = awaiting(calls.proposals)
    apply_proposals = awaiting(calls.apply_proposals)
    users = awaiting(calls.users)
    create_user = awaiting(calls.create_user)
    change_user = awaiting(calls.change_user)
    remove_user = awaiting(calls.remove_user)
    tokens = awaiting(calls.tokens)
    create_token = awaiting(calls.create_token)
    revoke_token = awaiting(calls.revoke_token)
    devices = awaiting(calls.devices)
    create_device = awaiting(calls.create_device)
    remove_device = awaiting(calls.remove_device)
