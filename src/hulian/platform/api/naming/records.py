"""Records: listed from the registry, read and changed over the protocol with the key of this installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.errors import RefusedError
from hulian.network.identifiers.store import Listed, Listing, key_of
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.codes import Permission, ResponseCode, response_text
from hulian.network.identifiers.wire.json_form.values import value_from_json
from hulian.network.identifiers.wire.values import Value, scan
from hulian.platform.api.access import in_thread
from hulian.platform.api.errors import ConflictError, NotFoundError, RequestError, UnavailableError
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.resolving import Resolving, shown
from hulian.platform.api.naming.views import RecordItem, RecordPage, RecordView

__all__ = ["Records"]

MOST_COUNTED: Final = 10_000


class Records:
    """The records that the node of this installation keeps, and those elsewhere that its key may change."""

    def __init__(self, node: IdentifierNode, resolving: Resolving) -> None:
        self._node = node
        self._resolving = resolving

    async def page(self, begins: str, after: str, limit: int) -> RecordPage:
        """The records whose handle begins with ``begins``. Raises `NotFoundError` where this node keeps none."""
        if self._node.listing is None:
            raise NotFoundError("a recursive node keeps no records", hint="resolve them instead")
        listing: Listing = await in_thread(self._node.listing)
        wanted = key_of(begins)

        def read() -> tuple[list[Listed], int]:
            return listing.page(wanted, key_of(after) if after else b"", limit + 1), listing.count(wanted, MOST_COUNTED + 1)

        found, total = await in_thread(read)
        items = [_item(one) for one in found[:limit]]
        following = items[-1].handle if len(found) > limit else None
        return RecordPage(items=items, next=following, total=min(total, MOST_COUNTED), more=total > MOST_COUNTED)

    async def read(self, handle: str, *, whole: bool) -> RecordView:
        """The values that everybody may read, or with ``whole`` those that the installation's key may.

        Raises `NotFoundError`, and `FollowError` where nobody answers.
        """
        if whole:
            try:
                async with await self._administer() as by:
                    return RecordView(handle=handle, values=[shown(one) for one in await by.read(handle)], whole=True)
            except RefusedError as refused:
                if refused.response_code in (ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND):
                    raise _missing(handle) from refused
                # The record is somebody else's: what everybody may read is shown.
        found = await (await self._resolving.way()).follow.resolve(ResolveRequest(handle))
        if found.code in (ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND):
            raise _missing(handle)
        if found.code != ResponseCode.SUCCESS:
            raise RefusedError(response_text(found.code), response_code=found.code, place=handle)
        return RecordView(handle=found.handle, values=[shown(one) for one in found.values], whole=False)

    async def create(self, handle: str, values: Sequence[dict[str, Any]]) -> None:
        """Raises `RefusedError` where there is such a record, or the key may not make it, and `RequestError`."""
        made = _values(values)
        async with await self._administer() as by:
            await by.create(handle, made)

    async def change(self, handle: str, put: Sequence[dict[str, Any]], remove: Sequence[int]) -> None:
        """Puts and removes values, in this order: between the two, somebody may see both the old and the new."""
        made = _values(put)
        if not made and not remove:
            raise RequestError("nothing is to be changed", place="$", hint="name values to put, or indexes to remove")
        async with await self._administer() as by:
            if made:
                await by.add(handle, made, overwrite=True)
            if remove:
                await by.remove(handle, remove)

    async def delete(self, handle: str) -> None:
        """Raises `ConflictError` for the record that makes this node found: nobody could name it again."""
        if key_of(handle) in {key_of(f"0.NA/{one}") for one in ("0.NA", *self._node.prefixes)}:
            raise ConflictError(
                f"{handle} names the service of this node itself",
                place=handle,
                hint="'hulian unregister' does it where it is meant",
            )
        async with await self._administer() as by:
            await by.delete(handle)

    async def _administer(self) -> Administer:
        way = await self._resolving.way()
        try:
            identity = await in_thread(self._node.identity)
        except HulianError as error:
            raise UnavailableError(f"this installation has no key: {error.message}", place=str(error.place)) from error
        return Administer(way.follow, connection, identity)


def _item(found: Listed) -> RecordItem:
    public = [
        value.type.decode("utf-8", "replace") for value in scan(found.packed) if value.permissions & Permission.PUBLIC_READ
    ]
    return RecordItem(handle=found.handle, types=list(dict.fromkeys(public)), changed_ms=found.changed / 1e6)


def _values(listed: Sequence[dict[str, Any]]) -> list[Value]:
    return [value_from_json(one, f"$[{place}]") for place, one in enumerate(listed)]


def _missing(handle: str) -> NotFoundError:
    return NotFoundError(f"there is no record of {handle[:200]!r}", place=handle[:200], hint="check the spelling")
