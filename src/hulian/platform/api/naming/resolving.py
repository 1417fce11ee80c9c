"""What is typed or scanned becomes a record: recognised, followed from the root data, and told with the path."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import anyio

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.errors import FollowError
from hulian.network.identifiers.chain.follow import Follow, Hop, Resolution
from hulian.network.identifiers.chain.sites import sites_in
from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.epc.epc import Epc
from hulian.network.identifiers.schemes.errors import ConversionError, SchemeError
from hulian.network.identifiers.schemes.gs1.elements import GS1
from hulian.network.identifiers.schemes.gs1.link import DigitalLink
from hulian.network.identifiers.schemes.recognition import recognise
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.rest.resolver.resolve import record_names
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.codes import ResponseCode, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.json_form.values import value_to_json
from hulian.network.identifiers.wire.values import Value
from hulian.platform.api.access import in_thread
from hulian.platform.api.contract import Refusal
from hulian.platform.api.errors import TooManyError, UnavailableError
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.views import HopView, ResolvedView

__all__ = ["Resolving", "Way", "shown"]

AT_ONCE: Final = 16
"""Walks under way for all visitors together; the next ones are told to come again."""

SECONDS: Final = 20.0
"""The longest walk."""

TRIES: Final = (0.4, 0.8)
TCP_SECONDS: Final = 3.0
"""A person waits: servers get less time than the protocol's own clients give them."""

_SECRET: Final = frozenset(("HS_SECKEY",))
_NOTHING: Final = frozenset((ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND))


class Way(NamedTuple):
    """The walk from the root data as they are now, and the addresses of the root's servers."""

    root: tuple[Value, ...]
    follow: Follow
    roots: frozenset[str]


class Resolving:
    """Resolves for people: at most `AT_ONCE` walks at a time, each at most `SECONDS` long."""

    def __init__(self, node: IdentifierNode) -> None:
        self._node = node
        self._way: Way | None = None
        self._under_way = 0

    async def way(self) -> Way:
        """Raises `UnavailableError` while there are no root data. They are read anew each time, for they may change."""
        try:
            root = tuple(await in_thread(self._node.root))
        except HulianError as error:
            raise UnavailableError(
                f"no walk can begin: {error.message}", place=error.place, hint=error.hint or "is the identifier node running?"
            ) from error
        if self._way is None or self._way.root != root:
            self._way = Way(root, _follow(root), frozenset(_addresses(root)))
        return self._way

    async def resolve(self, text: str, *, fresh: bool = False) -> ResolvedView:
        """With ``fresh`` from the root on, whatever is remembered of services; else from what is known.

        Raises the error of a text that is no identifier, `UnavailableError`, and `TooManyError`.
        """
        code = _read(text)
        way = await self.way()
        if fresh:
            way = way._replace(follow=_follow(way.root))
        if self._under_way >= AT_ONCE:
            raise TooManyError(f"more than {AT_ONCE} walks at once", place="identifiers", hint="ask again in a moment")
        self._under_way += 1
        began = time.perf_counter()
        try:
            with anyio.fail_after(SECONDS):
                return await self._walked(way, text, code, began)
        except TimeoutError:
            raise UnavailableError(f"no answer within {SECONDS:g} s", hint="a server on the path is slow or away") from None
        finally:
            self._under_way -= 1

    async def _walked(self, way: Way, text: str, code: Code | None, began: float) -> ResolvedView:
        names, why = self._names(text, code)
        path: list[Hop] = []
        found: Resolution | None = None
        failure: HulianError | None = None
        name = names[0] if names else ""
        for name in names:
            try:
                found = await way.follow.resolve(ResolveRequest(name))
            except FollowError as error:
                failure = error
                path += error.path
                break
            except WireError as error:
                failure = error
                break
            path += found.path
            if found.code not in _NOTHING:
                break
        done = found is not None and failure is None and found.code == ResponseCode.SUCCESS
        answered = found is not None and failure is None
        refused = answered and not done and found is not None and found.code not in _NOTHING
        if refused and found is not None:
            failure = FollowError(f"{response_text(found.code)} (response code {found.code})", place=found.handle)
        values = found.values if done and found is not None else ()
        return ResolvedView(
            text=text,
            scheme=code.scheme.value if code else Scheme.HANDLE.value,
            normal=code.text if code else text.strip(),
            parts=dict(code.parts) if code else {},
            handle=found.handle if found is not None else name,
            outcome="found" if done else "failed" if failure is not None else "nothing",
            code=found.code if found is not None else 0,
            message=why or (found.message if found is not None else ""),
            values=[shown(value) for value in values],
            path=_hops(path, way.roots, answered=answered),
            ms=_milliseconds(time.perf_counter() - began),
            error=_refusal(failure) if failure is not None else None,
        )

    def _names(self, text: str, code: Code | None) -> tuple[list[str], str]:
        """The handles to ask for, the most special first; where there is none, why."""
        if code is None:
            return [text.strip()], ""
        if code.scheme is Scheme.HANDLE:
            return [code.to_text()], ""
        if isinstance(code, Epc):
            with contextlib.suppress(ConversionError):
                code = code.to_gs1()
        if isinstance(code, GS1) and code.primary:
            if not self._node.gs1_prefix:
                return [], "identifiers.rest_gs1_prefix of hulian.toml says where the records of GS1 keys stand; it is empty"
            try:
                return record_names(self._node.gs1_prefix, DigitalLink(code)), ""
            except SchemeError as error:
                return [], error.message
        return [], f"codes of the scheme {code.scheme.value} are read here, and resolved by systems of their own"


def shown(value: Value) -> dict[str, Any]:
    """A value in the JSON form of the Handle System; of a secret key nothing is shown."""
    found = cast("dict[str, Any]", value_to_json(value))
    if value.type in _SECRET:
        found["data"] = {"format": "secret", "value": ""}
    return found


def _follow(root: Sequence[Value]) -> Follow:
    return Follow(root, Client(tries=TRIES, tcp_seconds=TCP_SECONDS))


def _read(text: str) -> Code | None:
    """The code; None for a handle that no scheme of ours knows. Raises `SchemeError`."""
    try:
        return recognise(text)
    except SchemeError:
        prefix, slash, suffix = text.strip().partition("/")
        if slash and suffix and prefix.upper().startswith(("0.", "10.", "20.500")) and text.strip().isprintable():
            return None
        raise


def _addresses(root: Sequence[Value]) -> list[str]:
    return [
        _host(str(server.address), interface.port)
        for site in sites_in(root, "HS_SITE")
        for server in site.servers
        for interface in server.interfaces
    ]


def _host(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _hops(path: Sequence[Hop], roots: frozenset[str], *, answered: bool) -> list[HopView]:
    last = len(path) - 1 if answered else -1
    return [
        HopView(
            node="answer" if place == last else "root" if hop.target.partition("://")[2] in roots else "between",
            asked=hop.handle,
            address=hop.target,
            code=hop.code,
            answer="" if hop.error else response_text(hop.code),
            error=hop.error,
            ms=_milliseconds(hop.seconds),
        )
        for place, hop in enumerate(path)
    ]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _refusal(error: HulianError) -> Refusal:
    told: Mapping[str, Any] = error.as_dict()
    return Refusal(
        code=error.code, message=error.message, place=str(told.get("place", "")), hint=str(told.get("hint", "") or "")
    )
