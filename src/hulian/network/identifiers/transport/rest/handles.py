"""``/api/handles``: records as JSON, as the HTTP interface of the Handle System has them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.transport.rest.answers import Answer, failure, json_answer
from hulian.network.identifiers.transport.rest.asking import Put, asked
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import LoginError, PlainHttpError, RequestError
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.requests import Request, read_body
from hulian.network.identifiers.wire.bodies import (
    Body,
    ChangeRequest,
    Created,
    HandleList,
    HandleOnly,
    RemoveRequest,
    ResolveRequest,
    Values,
)
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.errors import JsonFormError, WireError
from hulian.network.identifiers.wire.json_form import value_from_json, values_to_json
from hulian.network.identifiers.wire.limits import MAX_VALUES
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Handles"]

LARGEST_PAGE: Final = 10_000
USUAL_PAGE: Final = 1_000
_MOST_PAGES: Final = 1_000_000
_AUTHENTICATE: Final = ("www-authenticate", 'Basic realm="handle", Handle')


class Handles:
    """Reads and changes records. Each method raises `RestError` and its kinds; what the chain refuses is an answer."""

    def __init__(self, node: Node, prover: Prover) -> None:
        self._node = node
        self._prover = prover

    # -- reading -------------------------------------------------------------------------------------------------------

    async def read(self, request: Request, handle: str) -> Answer:
        """``GET``: the values, by ``index`` and ``type``. Who has proved nothing is shown the public ones."""
        who = await self._prover.who(request)
        public = request.truth("publicOnly", default=who is None)
        flags = (OpFlag.PUBLIC_ONLY if public else 0) | (OpFlag.AUTHORITATIVE if request.truth("auth", default=False) else 0)
        if who is not None and request.text("callback"):
            raise RequestError("a callback is for what everybody may read", place="?callback")
        question = ResolveRequest(handle, _indexes(request.texts("index")), _types(request))
        found = await self._asked(OpCode.RESOLVE, question, request, who, int(flags))
        if found.done and isinstance(found.body, Values):
            document = {"responseCode": 1, "handle": handle, "values": values_to_json(found.body.values)}
            return json_answer(request, document, headers=_kept(public))
        return _refused(request, handle, found, reading=True)

    async def list(self, request: Request) -> Answer:
        """``GET /api/handles?prefix=``: the handles below a prefix, in pages from 0 of 1,000, or of ``pageSize``."""
        prefix = request.text("prefix").rstrip("/")
        if not prefix:
            raise RequestError("the prefix is missing", place="?prefix", hint="such as ?prefix=88.111.1")
        prefix = prefix[5:] if prefix.upper().startswith("0.NA/") else prefix
        size = request.number("pageSize", USUAL_PAGE, LARGEST_PAGE)
        page = request.number("page", 0, _MOST_PAGES)
        listed = _Page(page * size, size)
        found = await asked(
            self._node,
            OpCode.LIST_HANDLES,
            HandleOnly(f"0.NA/{prefix}"),
            who=await self._prover.who(request),
            source=request.source,
            part=listed.add,
        )
        if not found.done:
            return _refused(request, f"0.NA/{prefix}", found)
        await listed.add(found.body)
        document: dict[str, Any] = {"responseCode": 1, "prefix": prefix, "totalCount": str(listed.seen)}
        return json_answer(request, {**document, "page": page, "pageSize": size, "handles": listed.handles})

    # -- changing ------------------------------------------------------------------------------------------------------

    async def write(self, request: Request, handle: str) -> Answer:
        """``PUT``: the record, or with ``index`` those values of it. 201 where it made a record, or only new values."""
        who = await self._user(request)
        overwrite = request.truth("overwrite", default=True)
        mint = request.truth("mintNewSuffix", default=False)
        values = _values(await read_body(request))
        if "index" in request.query:
            values = _chosen(values, request.texts("index"))
            if mint:
                raise RequestError("values are added to a record whose suffix is known", place="?mintNewSuffix")
            code = OpCode.ADD_VALUES
        else:
            code = OpCode.CREATE
        flags = OpFlag.MINT_SUFFIX.value if mint else 0
        body = Values(handle, values)
        found = await self._asked(code, body, request, who, flags)
        there = (ResponseCode.HANDLE_EXISTS, ResponseCode.VALUE_EXISTS)
        status = 201
        if found.code in there and overwrite:
            # What is there is found out by the change itself; only then is it written over, under other permissions.
            found = await self._asked(code, body, request, who, flags | OpFlag.OVERWRITE.value)
            status = 200
        if not found.done:
            return _refused(request, handle, found)
        made = found.body.handle if isinstance(found.body, Created) and found.body.handle else handle
        return json_answer(request, {"responseCode": 1, "handle": made}, status=status)

    async def change(self, request: Request, handle: str) -> Answer:
        """``PATCH``: an object with ``values`` that are put and indexes to ``remove``, all at once or not at all."""
        who = await self._user(request)
        put, removed = _change(await read_body(request))
        found = await self._asked(OpCode.CHANGE_VALUES, ChangeRequest(handle, put, removed), request, who)
        return json_answer(request, {"responseCode": 1, "handle": handle}) if found.done else _refused(request, handle, found)

    async def delete(self, request: Request, handle: str) -> Answer:
        """``DELETE``: the record, or with ``index`` those values of it."""
        who = await self._user(request)
        if "index" in request.query:
            body: Body = RemoveRequest(handle, _indexes(request.texts("index")))
            found = await self._asked(OpCode.REMOVE_VALUES, body, request, who)
        else:
            found = await self._asked(OpCode.DELETE, HandleOnly(handle), request, who)
        return json_answer(request, {"responseCode": 1, "handle": handle}) if found.done else _refused(request, handle, found)

    # -- prefixes ------------------------------------------------------------------------------------------------------

    async def prefixes(self, request: Request) -> Answer:
        """``GET /api/prefixes``: what this node answers for, to its administrators."""
        listed = _Page(0, MAX_VALUES * 64)
        who = await self._prover.who(request)
        found = await asked(
            self._node, OpCode.LIST_HOMED_PREFIXES, HandleOnly(None), who=who, source=request.source, part=listed.add
        )
        if not found.done:
            return _refused(request, "0.NA/0.NA", found)
        await listed.add(found.body)
        prefixes = [handle.removeprefix("0.NA/") for handle in listed.handles]
        return json_answer(request, {"responseCode": 1, "prefixes": prefixes})

    async def home(self, request: Request, prefix: str, *, answers: bool) -> Answer:
        """``PUT`` and ``DELETE /api/prefixes/{prefix}``: this node answers for it from now on, or no longer."""
        who = await self._user(request)
        handle = prefix if prefix.upper().startswith("0.NA/") else f"0.NA/{prefix}"
        code = OpCode.HOME_PREFIX if answers else OpCode.UNHOME_PREFIX
        found = await self._asked(code, HandleOnly(handle), request, who)
        if not found.done:
            return _refused(request, handle, found)
        return json_answer(request, {"responseCode": 1, "prefix": handle[5:]})

    # -- common to all -------------------------------------------------------------------------------------------------

    async def _user(self, request: Request) -> Reference:
        """Who changes something. Raises `PlainHttpError`, `LoginError`."""
        if not request.secure:
            raise PlainHttpError("changes are made over https only")
        who = await self._prover.who(request)
        if who is None:
            raise LoginError("a change needs somebody who makes it")
        return who

    async def _asked(self, code: OpCode, body: Body, request: Request, who: Reference | None, flags: int = 0) -> Put:
        try:
            return await asked(self._node, code, body, who=who, source=request.source, flags=flags)
        except WireError as error:
            raise RequestError(f"{error.message} ({error.code})", place=error.place) from error


class _Page:
    """Counts handles as they come, and keeps those of one page."""

    def __init__(self, begin: int, size: int) -> None:
        self._begin, self._end = begin, begin + size
        self.seen = 0
        self.handles: list[str] = []

    async def add(self, body: Body) -> None:
        """A part of the list."""
        if isinstance(body, HandleList):
            low, high = max(self._begin - self.seen, 0), max(self._end - self.seen, 0)
            self.handles += body.handles[low:high]
            self.seen += len(body.handles)


def _kept(public: bool) -> tuple[tuple[str, str], ...]:
    return () if public else (("cache-control", "no-store"),)


def _refused(request: Request, handle: str, found: Put, *, reading: bool = False) -> Answer:
    answer = failure(request, handle, found.code, found.message, reading=reading)
    if answer.status == 401:
        return msgspec.structs.replace(answer, headers=(*answer.headers, _AUTHENTICATE))
    return answer


def _indexes(texts: list[str]) -> tuple[int, ...]:
    found = []
    for text in texts[: MAX_VALUES + 1]:
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= 0x7FFFFFFF):
            raise RequestError("an index is a positive number", place="?index")
        found.append(int(text))
    if len(found) > MAX_VALUES:
        raise RequestError(f"more than {MAX_VALUES} indexes", place="?index")
    return tuple(found)


def _types(request: Request) -> tuple[str, ...]:
    found = tuple(request.texts("type"))
    if len(found) > MAX_VALUES:
        raise RequestError(f"more than {MAX_VALUES} types", place="?type")
    return found


def _change(body: bytes) -> tuple[tuple[Value, ...], tuple[int, ...]]:
    """``values`` and ``remove`` of an object, either of which may be left out."""
    document = _document(body)
    if not isinstance(document, dict) or document.keys() - {"values", "remove"}:
        raise RequestError("an object with values and remove belongs here, and nothing else", place="$")
    removed = document.get("remove", [])
    if not isinstance(removed, list) or len(removed) > MAX_VALUES:
        raise RequestError(f"a list of up to {MAX_VALUES} indexes belongs here", place="$.remove")
    for place, index in enumerate(removed):
        if not isinstance(index, int) or isinstance(index, bool) or not 0 < index <= 0x7FFFFFFF:
            raise RequestError("an index is a positive number", place=f"$.remove[{place}]")
    return _listed(document.get("values", []), "$.values"), tuple(removed)


def _document(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE as error:
        raise RequestError(f"no JSON: {error}", place="$") from None


def _values(body: bytes) -> tuple[Value, ...]:
    """A value, a list of values, or an object with ``values``. Raises `RequestError` with the path to what is wrong."""
    document = _document(body)
    base = "$"
    if isinstance(document, dict) and "values" in document:
        document, base = document["values"], "$.values"
    return _listed([document] if isinstance(document, dict) else document, base)


def _listed(document: Any, base: str) -> tuple[Value, ...]:
    if not isinstance(document, list):
        raise RequestError("a list of values belongs here", place=base)
    if len(document) > MAX_VALUES:
        raise RequestError(f"{len(document)} values, where {MAX_VALUES} are accepted", place=base)
    try:
        return tuple([value_from_json(one, f"{base}[{place}]") for place, one in enumerate(document)])
    except JsonFormError as error:
        raise RequestError(f"{error.message} ({error.code})", place=error.place) from error


def _chosen(values: tuple[Value, ...], texts: list[str]) -> tuple[Value, ...]:
    """The values with the wanted indexes; ``various`` takes all that are given. Raises `RequestError` where one is missing."""
    if texts == ["various"]:
        return values
    wanted = _indexes(texts)
    given = {value.index for value in values}
    if missing := [index for index in wanted if index not in given]:
        raise RequestError(f"no value has the index {missing[0]}", place="?index")
    return tuple(value for value in values if value.index in set(wanted))
