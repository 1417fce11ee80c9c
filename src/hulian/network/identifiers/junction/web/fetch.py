"""Fetching one document from a host that may be asked: what an identifier says never makes this node ask another one.

The name of a host is looked up once, its addresses are judged, and one of those is connected to: there is no second look-up
that could say something else. Every redirection is judged like the first address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

import anyio
import httpcore

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.junction.errors import (
    ForeignAnswerError,
    ForeignSizeError,
    GuardError,
    JunctionError,
    SilentError,
)
from hulian.network.identifiers.junction.found import Step

__all__ = ["Fetched", "Fetcher", "Host"]

SECONDS: Final = 10.0
"""For a document, with all redirections."""

MOST_BYTES: Final = 1 << 20
MOST_REDIRECTIONS: Final = 5
_DEFAULT_SECONDS: Final = 300.0
_LONGEST: Final = 86_400.0
_PART: Final = 5.0
_LONGEST_URL: Final = 4_096
_URL: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z_.-]{1,253})(?::[0-9]{1,5})?")
_REDIRECTIONS: Final = frozenset((301, 302, 303, 307, 308))
_PORTS: Final = {"https": 443, "http": 80}
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=\"?([0-9]{1,9})", re.IGNORECASE)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class Host(NamedTuple):
    """A host that may be asked, whatever its address."""

    scheme: str
    name: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Host:
        """``id.example.com``, ``id.example.com:8443``, or with ``http://`` in front for one that has no certificate."""
        scheme, mark, rest = text.partition("://")
        scheme, rest = (scheme.lower(), rest) if mark else ("https", text)
        if scheme not in _PORTS or not _HOST.fullmatch(rest):
            hint = "a host and perhaps a port, as in id.example.com:8443; http:// in front for one without a certificate"
            raise ConfigurationError(f"{text!r} is no host", place="identifiers.junction.hosts", hint=hint)
        return _host_of(urlsplit(f"{scheme}://{rest}"))


class Fetched(NamedTuple):
    """A document: where it lay at last, what it says it is, and how many seconds it says it may be kept."""

    url: str
    status: int
    type: str
    body: bytes
    seconds: float


class Fetcher:
    """Fetches over HTTPS from ``hosts``, and where ``public`` from every host of which all addresses are public, at port 443.

    A document has at most 1 MiB and takes at most 10 s, with at most five redirections. Nothing is sent but the question:
    no cookies, no credentials; no proxy is asked.
    """

    def __init__(self, hosts: Iterable[Host] = (), *, public: bool = False, authorities: str = "") -> None:
        self._hosts = frozenset(hosts)
        self._public = public
        self._authorities = authorities
        self._tls: ssl.SSLContext | None = None

    def permits(self, url: str) -> bool:
        """Whether ``url`` would be asked; of a host that is not named its addresses decide later."""
        try:
            self._judged(url)
        except GuardError:
            return False
        return True

    async def get(self, url: str, accept: str, path: list[Step]) -> Fetched:
        """The document at ``url``, whatever its status; every question is added to ``path``.

        Raises `GuardError`, `SilentError`, `ForeignSizeError`, `ForeignAnswerError`.
        """
        try:
            with anyio.fail_after(SECONDS):
                for _ in range(MOST_REDIRECTIONS + 1):
                    fetched, further = await self._noted(url, accept, path)
                    if not further:
                        return fetched
                    url = _joined(url, further)
        except TimeoutError:
            raise SilentError(f"no answer within {SECONDS:g} s", place=url) from None
        raise ForeignSizeError(f"more than {MOST_REDIRECTIONS} redirections", place=url)

    async def _noted(self, url: str, accept: str, path: list[Step]) -> tuple[Fetched, str]:
        began = time.perf_counter()
        said = "no answer"
        try:
            fetched, further = await self._once(url, accept)
            said = f"{fetched.status}" + (f", go to {further[:200]}" if further else "")
            return fetched, further
        except JunctionError as error:
            said = error.message
            raise
        finally:
            path.append(Step(asked=url, of=_host_in(url), answer=said, seconds=time.perf_counter() - began))

    async def _once(self, url: str, accept: str) -> tuple[Fetched, str]:
        any_address = self._judged(url)
        headers = [
            ("host", urlsplit(url).netloc),
            ("accept", accept),
            ("accept-encoding", "identity"),
            ("user-agent", "hulian"),
        ]
        limits = dict.fromkeys(("connect", "read", "write", "pool"), _PART)
        backend = _Guarded(any_address=any_address)
        try:
            async with (
                httpcore.AsyncConnectionPool(ssl_context=await self._context(), network_backend=backend, retries=0) as pool,
                pool.stream("GET", url, headers=headers, extensions={"timeout": limits}) as response,
            ):
                found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                further = found.get("location", "") if response.status in _REDIRECTIONS else ""
                body = b"" if further else await _body(url, response, found)
                kind = found.get("content-type", "").partition(";")[0].strip().lower()
                return Fetched(url, response.status, kind, body, _kept(found.get("cache-control", ""))), further
        except (httpcore.TimeoutException, httpcore.NetworkError, OSError) as error:
            raise SilentError(f"no answer: {error or type(error).__name__}", place=url) from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise ForeignAnswerError(f"it does not speak HTTP: {error}", place=url) from error

    # -- guards --------------------------------------------------------------------------------------------------------

    def _judged(self, url: str) -> bool:
        """Whether the host of ``url`` may have any address; otherwise only public ones. Raises `GuardError`."""
        if len(url) > _LONGEST_URL or not _URL.fullmatch(url):
            raise GuardError("no address that is fetched", place=url[:200])
        if not _HOST.fullmatch(_host_in(url)):
            raise GuardError("an address names a host and perhaps a port, nothing else", place=url[:200])
        parts = urlsplit(url)
        host = _host_of(parts)
        if host in self._hosts:
            return True
        if self._public and host.scheme == "https" and host.port == _PORTS["https"]:
            return False
        raise GuardError(f"{parts.scheme}://{parts.netloc} is not asked", place=url[:200])

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            try:
                self._tls = await anyio.to_thread.run_sync(_tls, self._authorities)
            except (OSError, ssl.SSLError) as error:
                place = "identifiers.junction.authorities"
                raise ConfigurationError(f"no certificate authorities: {error}", place=place) from error
        return self._tls


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that it has judged."""

    def __init__(self, *, any_address: bool) -> None:
        self._any = any_address
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """See `httpcore.AsyncNetworkBackend`. Raises `GuardError`."""
        addresses = await _addresses(host, port)
        if not self._any and (private := [one for one in addresses if not _is_public(one)]):
            raise GuardError(f"{host} has the address {private[0]}, which is not public", place=f"{host}:{port}")
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses[:4]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        """Never: a URL names no such thing."""
        raise GuardError("no socket of this machine is asked", place=path)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


async def _addresses(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} has no address: {error}") from error
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def _is_public(address: str) -> bool:
    """Whether everybody can reach it; an IPv4 address inside an IPv6 one counts for itself."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner: Sequence[ipaddress.IPv4Address | None] = (found.ipv4_mapped, found.sixtofour, *(found.teredo or ()))
        if found in _NAT64:
            inner = (ipaddress.IPv4Address(int(found) & 0xFFFFFFFF),)
        if any(one is not None and not one.is_global for one in inner):
            return False
    return found.is_global and not found.is_multicast


def _host_in(url: str) -> str:
    """The part of ``url`` that names a host; empty where nothing does."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _joined(url: str, further: str) -> str:
    """Where a redirection leads. Raises `GuardError`."""
    try:
        return urljoin(url, further).partition("#")[0]
    except ValueError:
        raise GuardError("a redirection to no address", place=further[:200]) from None


def _host_of(parts: SplitResult) -> Host:
    try:
        port = parts.port or _PORTS[parts.scheme.lower()]
    except ValueError:
        raise GuardError("there is no such port", place=parts.netloc[:200]) from None
    return Host(parts.scheme.lower(), (parts.hostname or "").rstrip("."), port)


def _tls(authorities: str) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=authorities or None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


async def _body(url: str, response: httpcore.Response, headers: dict[str, str]) -> bytes:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ForeignAnswerError(f"a body as {headers['content-encoding'][:40]!r}, which was not asked for", place=url)
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ForeignSizeError(f"more than {MOST_BYTES} bytes", place=url)
    return bytes(body)


def _kept(control: str) -> float:
    """How long ``Cache-Control`` lets a document be kept by one who answers others."""
    if re.search(r"no-store|no-cache|private", control, re.IGNORECASE):
        return 0.0
    age = _MAX_AGE.search(control)
    return min(float(age[1]), _LONGEST) if age else _DEFAULT_SECONDS
