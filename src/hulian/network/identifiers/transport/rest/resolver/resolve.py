"""What stands behind an address: the record of a Handle, or the links of a GS1 key.

The record of a GS1 key is ``<prefix>/<AI>/<value>``, with its qualifiers behind it where there is a record for them:
``https://host/01/09506000134352/10/ABC`` is looked for as ``88.111.1/01/09506000134352/10/ABC``, then as
``88.111.1/01/09506000134352``. The prefix is that of the configuration.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.schemes import percent
from hulian.network.identifiers.schemes.errors import SchemeError
from hulian.network.identifiers.schemes.gs1.link import CANONICAL_STEM, DigitalLink, parse_link, plain_key_at
from hulian.network.identifiers.schemes.gs1.table import LINK_KEYS
from hulian.network.identifiers.transport.rest.answers import Answer, failure, json_answer
from hulian.network.identifiers.transport.rest.asking import asked
from hulian.network.identifiers.transport.rest.contract import Elsewhere, Node
from hulian.network.identifiers.transport.rest.errors import CodeError, ElsewhereError, PathError, RequestError
from hulian.network.identifiers.transport.rest.requests import Request
from hulian.network.identifiers.transport.rest.resolver.links import (
    VOCABULARY,
    chosen,
    default_of,
    header,
    links_of,
    linkset,
    passed_on,
)
from hulian.network.identifiers.transport.rest.resolver.negotiation import best_type
from hulian.network.identifiers.transport.rest.resolver.page import page
from hulian.network.identifiers.wire.bodies import ResolveRequest, Values
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.json_form import values_to_json
from hulian.network.identifiers.wire.values import Value

__all__ = ["Resolver", "record_names"]

_JSON: Final = "application/json"
_HTML: Final = "text/html"
_LINKSET: Final = "application/linkset+json"
_FORMS: Final = (_JSON, _HTML, _LINKSET)
_VARY: Final = ("vary", "Accept, Accept-Language")
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z_.-]{1,253})(?::[0-9]{1,5})?")
_COMPRESSED: Final = re.compile(r"/[A-Za-z0-9_-]{6,}/?")
_OWN: Final = ("linkType", "linktype", "compress", "context")
_MOST_QUALIFIERS: Final = 8


class Resolver:
    """Answers ``GET`` and ``HEAD`` of everything that is not under ``/api``. It shows what everybody may read, and no more."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def read(self, request: Request) -> Answer:
        """A page, JSON, a linkset, or the way to where a link leads. Raises `PathError`, `CodeError`, `RequestError`."""
        if request.path == "/.well-known/gs1resolver":
            return self._described(request)
        segments = [one for one in request.raw_path.split("/")[1:] if one]
        if self._node.gs1_prefix and (plain_key_at(segments) is not None or _COMPRESSED.fullmatch(request.raw_path)):
            return await self._gs1(request)
        if self._node.elsewhere is not None and self._node.elsewhere.serves(text := _text(request, segments)):
            return await self._elsewhere(request, self._node.elsewhere, text)
        return await self._handle(request, request.path[1:])

    # -- Handles -------------------------------------------------------------------------------------------------------

    async def _handle(self, request: Request, handle: str) -> Answer:
        if "/" not in handle.strip("/") and "." not in handle:
            raise PathError(f"{handle[:200]!r} is no identifier")
        form = _form(request)
        code, values, message = await self._values(request, handle)
        if code == ResponseCode.HANDLE_NOT_FOUND and handle.endswith("/"):
            handle = handle.rstrip("/")
            code, values, message = await self._values(request, handle)
        return _shown(request, form, handle, code, values, message)

    # -- other systems -------------------------------------------------------------------------------------------------

    async def _elsewhere(self, request: Request, elsewhere: Elsewhere, text: str) -> Answer:
        """What another system says, for as long as that one says so; the header ``resolved-by`` names it."""
        form = _form(request)
        try:
            found = await elsewhere.resolve(text)
        except HulianError as error:
            raise ElsewhereError(f"{error.message} ({error.code})", place=text[:200], hint=error.hint) from error
        answer = _shown(request, form, found.identifier, found.code, tuple(found.values), found.message)
        more = (("resolved-by", found.system), ("cache-control", f"max-age={int(found.seconds)}"))
        return _with(answer, answer.status, *more)

    async def _values(self, request: Request, handle: str) -> tuple[int, tuple[Value, ...], str]:
        """The public values; the response code says why there are none."""
        question = ResolveRequest(handle)
        flags = OpFlag.PUBLIC_ONLY
        try:
            found = await asked(self._node, OpCode.RESOLVE, question, who=None, source=request.source, flags=flags)
        except WireError as error:
            raise RequestError(f"{error.message} ({error.code})") from error
        return found.code, found.body.values if found.done and isinstance(found.body, Values) else (), found.message

    # -- GS1 -----------------------------------------------------------------------------------------------------------

    async def _gs1(self, request: Request) -> Answer:
        try:
            found = parse_link(_origin(request) + request.raw_path + (f"?{_gs1_query(request)}" if request.raw_query else ""))
        except SchemeError as error:
            raise CodeError(f"{error.message} ({error.code})", place=request.raw_path[:200], hint=error.hint) from error
        names = record_names(self._node.gs1_prefix, found)
        values: tuple[Value, ...] = ()
        code, message, name = int(ResponseCode.HANDLE_NOT_FOUND), "", names[-1]
        for name in names:
            code, values, message = await self._values(request, name)
            if values:
                break
        links = links_of(values)
        canonical = DigitalLink(found.code).to_url()
        form = _form(request)
        languages = request.headers.get("accept-language", "")
        if not values:
            answer = failure(request, names[-1], code, message)
            status = 404 if answer.status == 400 else answer.status
            return page(found.code.text, (), languages, status=status) if form == _HTML else _with(answer, status)
        wanted = request.text("linkType") or request.text("linktype")
        address = _origin(request) + urlsplit(found.to_url()).path
        link = header(links, f"{address}?linkType=all")
        if wanted in ("all", "linkset") or form == _LINKSET:
            if form == _HTML and wanted:
                return _with(page(found.code.text, values, languages), 200, link)
            return _linkset_answer(linkset(canonical, found.code.text, links), (link,))
        target = chosen(links, wanted, languages) if wanted else default_of(links)
        if target is None and wanted:
            raise PathError(f"there is no link of the type {wanted[:100]!r}", hint="?linkType=all shows those that are there")
        if target is None:
            return await self._handle(request, name)
        query = [(key, value) for key, several in request.query.items() if key not in _OWN for value in several]
        return Answer(status=307, headers=(("location", passed_on(target, query)), link, _VARY))

    def _described(self, request: Request) -> Answer:
        """The resolver description file of GS1's standard."""
        if not self._node.gs1_prefix:
            raise PathError("GS1 keys are not resolved here", hint="identifiers.rest_gs1_prefix says where they are registered")
        document: dict[str, Any] = {
            "name": "Hulian identifier node",
            "resolverRoot": _origin(request),
            "supportedPrimaryKeys": sorted(LINK_KEYS),
            "linkTypeDefaultCanBeLinkset": False,
            "supportedLinkType": [{"namespace": VOCABULARY, "prefix": "gs1:"}],
            "validatesSyntax": True,
            "decompression": True,
        }
        return json_answer(request, document)


def _text(request: Request, segments: list[str]) -> str:
    """What the path says: the elements of a GS1 key, or the identifier that stands in it. Raises `CodeError`."""
    if plain_key_at(segments) is None:
        return request.path[1:]
    try:
        return parse_link(CANONICAL_STEM + request.raw_path).code.text
    except SchemeError as error:
        raise CodeError(f"{error.message} ({error.code})", place=request.raw_path[:200], hint=error.hint) from error


def _shown(request: Request, form: str, handle: str, code: int, values: tuple[Value, ...], message: str) -> Answer:
    """A record in the form that is liked best, or why there is none."""
    languages = request.headers.get("accept-language", "")
    if code != ResponseCode.SUCCESS:
        answer = failure(request, handle, code, message)
        if answer.status == 400 and code == ResponseCode.VALUES_NOT_FOUND:
            answer = msgspec.structs.replace(answer, status=404)
        return page(handle, (), languages, status=answer.status) if form == _HTML else answer
    if form == _HTML:
        return page(handle, values, languages)
    if form == _LINKSET:
        document = linkset(_origin(request) + request.raw_path, handle, links_of(values))
        return _linkset_answer(document, ())
    return json_answer(request, {"responseCode": 1, "handle": handle, "values": values_to_json(values)}, headers=(_VARY,))


def _form(request: Request) -> str:
    """The form that is liked best; JSON where none is."""
    return best_type(request.headers.get("accept", ""), _FORMS) or _JSON


def _origin(request: Request) -> str:
    """Scheme and host that the asker used. Raises `RequestError` for a Host that is none."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise RequestError("the request names no host", place="Host")
    return f"{'https' if request.https else 'http'}://{host}"


def _gs1_query(request: Request) -> str:
    return "&".join(part for part in request.raw_query.split("&") if part.partition("=")[0] not in _OWN)


def record_names(prefix: str, found: DigitalLink) -> list[str]:
    """The record's names, the most special first."""
    path = found.to_url()[len(found.stem) :].partition("?")[0].partition("#")[0]
    parts = [percent.decode(one, "gs1.link.percent") for one in path.split("/")[1:]]
    pairs = [f"{ai}/{value}" for ai, value in zip(parts[::2], parts[1::2], strict=True)]
    return ["/".join([prefix, *pairs[:count]]) for count in range(min(len(pairs), _MOST_QUALIFIERS), 0, -1)]


def _linkset_answer(document: dict[str, Any], headers: tuple[tuple[str, str], ...]) -> Answer:
    return Answer(body=msgspec.json.encode(document), media_type=_LINKSET, headers=(*headers, _VARY))


def _with(answer: Answer, status: int, *headers: tuple[str, str]) -> Answer:
    return msgspec.structs.replace(answer, status=status, headers=(*answer.headers, *headers))
