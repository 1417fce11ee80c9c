"""One entry: whatever is scanned or typed is recognised, and resolved by the system that knows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hulian.network.identifiers.chain.follow import Ask, Follow
from hulian.network.identifiers.junction.configuration import JunctionConfiguration
from hulian.network.identifiers.junction.dns.ask import DnsServer, OidDns
from hulian.network.identifiers.junction.errors import ClosedError, NoSystemError
from hulian.network.identifiers.junction.found import Found
from hulian.network.identifiers.junction.handles import Handles, foreign_root
from hulian.network.identifiers.junction.keep import Keep
from hulian.network.identifiers.junction.web.did import Dids, resolver_of
from hulian.network.identifiers.junction.web.digital_link import DigitalLinks
from hulian.network.identifiers.junction.web.fetch import Fetcher, Host
from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.did import Did
from hulian.network.identifiers.schemes.epc.epc import Epc
from hulian.network.identifiers.schemes.errors import ConversionError, SchemeError, UnrecognisedError
from hulian.network.identifiers.schemes.gs1.elements import GS1
from hulian.network.identifiers.schemes.gs1.link import parse_link
from hulian.network.identifiers.schemes.handle import Handle
from hulian.network.identifiers.schemes.oid import Oid
from hulian.network.identifiers.schemes.recognition import recognise
from hulian.network.identifiers.schemes.vaa import Vaa
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.names import prefix_folded
from hulian.network.identifiers.wire.values import Value

__all__ = ["Junction"]

_MOST_HANDLE: Final = 2_048


class Junction:
    """Resolves every scheme, each by its own system, out of ``settings``; ``own`` makes what follows Handles from this
    node's root, the first time that one is asked for.

    ===========  =====================================================================================================
    Handle, VAA  down the tiers from the root; prefixes of another registry from its root
    OID          NAPTR records of DNS, at the configured servers
    GS1, EPC     the linkset of the resolver that the link names, where it may be asked, else of the configured one
    DID          did:web at its host, other methods at their configured resolvers
    ===========  =====================================================================================================

    An Ecode is resolved by nobody. What other systems say is kept as they allow (`Keep`).
    """

    def __init__(self, settings: JunctionConfiguration, own: Callable[[], Follow] | None, ask: Ask) -> None:
        self._over_http = frozenset(settings.over_http)
        root = foreign_root(Path(settings.global_root)) if settings.global_root else ()
        self._handles = Handles(own, Follow(root, ask) if root else None, settings.global_prefixes)
        servers = [DnsServer.parse(text) for text in settings.dns_servers]
        self._oids = OidDns(servers, settings.dns_domain, secure=settings.dns_secure) if servers else None
        hosts = [Host.parse(text) for text in settings.hosts]
        self._fetcher = Fetcher(hosts, public=settings.public, authorities=settings.authorities)
        self._links = DigitalLinks(self._fetcher, settings.gs1)
        self._dids = Dids(self._fetcher, dict(resolver_of(text) for text in settings.did_resolvers))
        self.keep = Keep()

    async def resolve(self, text: str, *, indexes: Sequence[int] = (), types: Sequence[str] = ()) -> Found:
        """What ``text`` stands for, by the system that knows it; with ``indexes`` or ``types`` only those of its values.

        Raises `SchemeError` for a code that breaks its scheme's rules, `FollowError` and `JunctionError` for what stands in
        the way. That there is nothing is an answer.
        """
        code = _code(text)
        if isinstance(code, Vaa):
            code = _as_handle(code)
        if isinstance(code, str | Handle):
            name = code if isinstance(code, str) else code.to_text()
            return await self._handle(ResolveRequest(name, tuple(indexes), tuple(types)))
        return _chosen(await self._elsewhere(code, text), indexes, types)

    def serves(self, text: str) -> bool:
        """Whether ``text`` is of a scheme that is resolved elsewhere for whoever asks over HTTP.

        No address is: strangers do not choose which host is asked.
        """
        if not self._over_http or text[:5].lower() in ("http:", "https"):
            return False
        try:
            code = recognise(text)
        except SchemeError:
            return False
        if isinstance(code, Handle):
            return "handle" in self._over_http and self._handles.is_foreign(code.to_text())
        kind = Scheme.GS1 if code.scheme is Scheme.EPC else code.scheme
        return kind.value in self._over_http

    async def _handle(self, question: ResolveRequest) -> Found:
        if not self._handles.is_foreign(question.handle):
            return await self._handles.resolve(question)
        key = f"handle {question.indexes} {question.types} {prefix_folded(question.handle.encode()).decode()}"
        return await self.keep.get(key, lambda: self._handles.resolve(question))

    async def _elsewhere(self, code: Code, text: str) -> Found:
        ask: Callable[[], Awaitable[Found]]
        if isinstance(code, Epc):
            code = code.to_gs1()
        if isinstance(code, GS1):
            links, stem, key = code, self._stem(text), f"gs1 {self._stem(text)} {code.text}"
            ask = lambda: self._links.resolve(links, stem)  # noqa: E731
        elif isinstance(code, Oid):
            if (oids := self._oids) is None:
                raise ClosedError("no DNS server is configured", place="identifiers.junction.dns_servers")
            oid, key = code, f"oid {code.text}"
            ask = lambda: oids.resolve(oid)  # noqa: E731
        elif isinstance(code, Did):
            did, key = code, f"did {code.method}:{code.specific}"
            ask = lambda: self._dids.resolve(did)  # noqa: E731
        else:
            raise NoSystemError(f"no system resolves {code.scheme.value}: {code.text}")
        return await self.keep.get(key, ask)

    def _stem(self, text: str) -> str:
        """The resolver that a link names, where it may be asked; empty where the configured one is."""
        trimmed = text.strip()
        if not trimmed.lower().startswith(("http://", "https://")):
            return ""
        try:
            stem = parse_link(trimmed).stem
        except SchemeError:
            return ""
        return stem if self._fetcher.permits(stem) or not self._links.configured else ""


def _code(text: str) -> Code | str:
    """What ``text`` is; a text that nothing fits is asked about as a Handle, which may be nearly anything."""
    try:
        return recognise(text)
    except UnrecognisedError:
        handle = text.strip()
        if not handle or len(handle.encode("utf-8", "replace")) > _MOST_HANDLE:
            raise
        return handle


def _as_handle(code: Vaa) -> Handle:
    try:
        return code.to_handle()
    except ConversionError as error:
        raise NoSystemError(f"no system resolves {code.text}: {error.message}") from error


def _chosen(found: Found, indexes: Sequence[int], types: Sequence[str]) -> Found:
    """``found`` with the wanted values, by the rules of the Handle protocol: a type that ends in a dot has those below it."""
    if not found.done or not (indexes or types):
        return found
    values = tuple(value for value in found.values if value.index in indexes or any(_is_a(value, kind) for kind in types))
    if values:
        return msgspec.structs.replace(found, values=values)
    return msgspec.structs.replace(found, values=(), code=ResponseCode.VALUES_NOT_FOUND.value)


def _is_a(value: Value, wanted: str) -> bool:
    kind, name = value.type.upper(), wanted.upper()
    return kind == name or (name.endswith(".") and (kind.startswith(name) or kind == name[:-1]))
