"""Handles: those of this root and what is below it, and those of another registry, which has a root of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.onward import is_foreign
from hulian.network.identifiers.junction.errors import ClosedError
from hulian.network.identifiers.junction.found import Found, System, of_handle
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.codes import ResponseCode, TtlType
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.json_form import value_from_json
from hulian.network.identifiers.wire.json_form.structures import site_from_json
from hulian.network.identifiers.wire.root_info import MAX_ROOT_INFO, unpack_root_info
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["Handles", "foreign_root"]

_LONGEST: Final = 86_400.0
_NEGATIVE: Final = 60.0
_MOST_BYTES: Final = MAX_ROOT_INFO + 5
_SITE_BEGINS: Final = b"\x00\x01"


class Handles:
    """Follows Handles from ``own``, and those below ``prefixes`` from ``other``, the root of the other registry.

    ``own`` is made the first time that it is needed; what that raises is raised there.
    """

    def __init__(self, own: Callable[[], Follow] | None, other: Follow | None = None, prefixes: Iterable[str] = ()) -> None:
        self._make_own = own
        self._own: Follow | None = None
        self._other = other
        self._prefixes = tuple(map(key_of, prefixes))

    def is_foreign(self, handle: str) -> bool:
        """Whether ``handle`` belongs to the other registry, and that one is configured."""
        return self._other is not None and is_foreign(key_of(handle), self._prefixes)

    async def resolve(self, question: ResolveRequest) -> Found:
        """Public values of a Handle. Raises `FollowError`, and `ClosedError` where no root is known."""
        foreign = self.is_foreign(question.handle)
        if self._own is None and self._make_own is not None and not foreign:
            self._own = self._make_own()
        follow = self._other if foreign else self._own
        if follow is None:
            raise ClosedError(f"no root is known to begin with for {question.handle}", place="identifiers.root")
        found = await follow.resolve(question)
        return of_handle(found, System.GLOBAL_HANDLE if foreign else System.HANDLE, _seconds(found.code, found.values))


def _seconds(code: int, values: Sequence[Value]) -> float:
    """How long an answer is believed: as long as its first value, a day at most."""
    if code != ResponseCode.SUCCESS:
        return _NEGATIVE if code in (ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND) else 0.0
    now = time.time()
    ends = [float(value.ttl) if value.ttl_type == TtlType.RELATIVE else value.ttl - now for value in values]
    return max(min([_LONGEST, *ends]), 0.0)


def foreign_root(path: Path) -> tuple[Value, ...]:
    """The root data in ``path``, in whichever form the other system's software writes them.

    ``root_info`` as clients are shipped with it; one site, binary or JSON, as servers write it (``siteinfo.bin``,
    ``siteinfo.json``); the record of ``0.NA/0.NA`` in the JSON of the REST API; or a JSON list of values.
    Raises `ConfigurationError` with the place of what is wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise ConfigurationError(f"cannot read the root data: {error.strerror}", place=str(path)) from error
    try:
        values = _read(content)
        sites = [value for value in values if value.type == "HS_SITE"]
        for value in sites:
            Site.unpack(value.data)
    except (WireError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
        hint = "root_info, siteinfo.bin, siteinfo.json, or the JSON record of 0.NA/0.NA"
        raise ConfigurationError(f"no root data: {error}", place=str(path), hint=hint) from error
    if not sites:
        raise ConfigurationError("the root data name no site", place=str(path))
    return values


def _read(content: bytes) -> tuple[Value, ...]:
    if content.lstrip()[:1] in (b"{", b"["):
        return _of_json(msgspec.json.decode(content))
    if content[:2] == _SITE_BEGINS:
        return (_site(Site.unpack(content)),)
    return unpack_root_info(content)


def _of_json(found: Any) -> tuple[Value, ...]:
    if isinstance(found, dict) and ("servers" in found or "serverList" in found):
        return (_site(site_from_json(found, "$")),)
    listed = found.get("values") if isinstance(found, dict) else found
    listed = listed if isinstance(listed, list) else []
    return tuple(value_from_json(one, f"$[{place}]") for place, one in enumerate(listed))


def _site(site: Site) -> Value:
    return Value(index=1, type="HS_SITE", data=site.pack())
