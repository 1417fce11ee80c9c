"""Metadata templates: listed from the registry, read and published over the protocol, and records checked against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hulian.network.identifiers.metadata.check import broken, named_template
from hulian.network.identifiers.metadata.errors import (
    AttributeRuleError,
    TemplateError,
    TemplateMissingError,
)
from hulian.network.identifiers.metadata.template import (
    Attribute,
    Template,
    Visibility,
    read_template,
    reference_of,
    write_template,
)
from hulian.network.identifiers.store import Listed, Listing, key_of
from hulian.network.identifiers.store.kinds import DRAFT, TEMPLATE
from hulian.network.identifiers.wire.json_form.values import value_from_json
from hulian.network.identifiers.wire.values import Reference, Value, unpack_values
from hulian.platform.api.access import in_thread
from hulian.platform.api.errors import ConflictError, NotFoundError, RequestError
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.documents import (
    AttributeCheck,
    CheckView,
    FindingView,
    TemplateItem,
    TemplatePage,
    TemplateVersion,
    TemplateView,
)
from hulian.platform.api.naming.records import Records

__all__ = ["Templates"]

SCANNED: Final = 20_000
"""Records that one page of the list looks at."""

_PART: Final = 1_000
_COUNTED: Final = 10_000
_NAMED: Final = 50
_LONGEST: Final = 200
_MARK: Final = len(TEMPLATE).to_bytes(4, "big") + TEMPLATE.encode()
_DRAFT_MARK: Final = len(DRAFT).to_bytes(4, "big") + DRAFT.encode()


class Templates:
    """The templates of this node, those elsewhere that somebody names, and the records that follow them."""

    def __init__(self, node: IdentifierNode, records: Records) -> None:
        self._node = node
        self._records = records

    async def page(self, begins: str, after: str, limit: int, *, whole: bool) -> TemplatePage:
        """Templates whose handle begins with ``begins``; those with a public version, or with ``whole`` all of them."""
        if self._node.listing is None:
            raise NotFoundError("a recursive node keeps no templates")
        listing: Listing = await in_thread(self._node.listing)

        def look() -> TemplatePage:
            items: list[TemplateItem] = []
            at, seen = key_of(after) if after else b"", 0
            while seen < SCANNED:
                part = listing.page(key_of(begins), at, _PART)
                for one in part:
                    seen += 1
                    at = key_of(one.handle)
                    if (_MARK in one.packed or _DRAFT_MARK in one.packed) and (item := _item(one, listing, whole=whole)):
                        items.append(item)
                    if len(items) >= limit:
                        return TemplatePage(items=items, next=one.handle)
                if len(part) < _PART:
                    return TemplatePage(items=items, next=None)
            return TemplatePage(items=items, next=part[-1].handle)

        found: TemplatePage = await in_thread(look)
        return found

    async def read(self, handle: str, *, whole: bool) -> TemplateView:
        """All versions of a template, wherever it is kept. Raises `NotFoundError`."""
        values = _templates(await self._values(handle, whole=whole))
        if not values:
            raise NotFoundError(
                f"{handle[:200]!r} is no template", place=handle[:200], hint="its record has no HULIAN.TEMPLATE"
            )
        named: list[str] = []
        if self._node.listing is not None:
            listing: Listing = await in_thread(self._node.listing)
            named = await in_thread(lambda: listing.naming(key_of(handle), most=_NAMED + 1))
        versions = [_version(value) for value in sorted(values, key=lambda one: one.index, reverse=True)]
        return TemplateView(handle=handle, versions=versions, records=named[:_NAMED], more=len(named) > _NAMED)

    async def publish(self, handle: str, document: dict[str, Any], version: int, *, new: bool) -> None:
        """Version ``version`` of a template, the first one with ``new``.

        Raises `TemplateError` with the place, `RefusedError`, and `ConflictError` where somebody else was quicker.
        """
        try:
            data = write_template(read_template(msgspec.json.encode(document))).decode()
        except TemplateError as error:
            raise TemplateError(error.message, place=f"$.template{str(error.place or '$')[1:]}") from error
        value = {"index": version, "type": TEMPLATE, "data": {"format": "string", "value": data}}
        if new:
            await self._records.create(handle, [value])
            return
        there = await self._values(handle, whole=True)
        last = max((one.index for one in _templates(there) if one.type == TEMPLATE), default=0)
        if version <= last or any(one.index == version for one in there):
            raise ConflictError(
                f"version {last} of {handle} is published already",
                place=handle,
                hint=f"look at it, and publish version {last + 1}",
            )
        await self._records.change(handle, [value], [])

    async def check(self, handle: str, template: str, *, whole: bool) -> CheckView:
        """A record beside the template that it names, or beside ``template`` (version:handle).

        Raises `TemplateMissingError` where there is none, and the errors of a record that cannot be read.
        """
        record = await self._records.read(handle, whole=whole)
        values = _valued(record.values)
        reference = reference_of(template) if template else named_template(values)
        if reference is None:
            if template:
                raise RequestError(f"{template[:80]!r} is no template", place="template", hint="version:handle")
            raise TemplateMissingError(f"{handle[:200]} names no template", hint="choose one to check it against")
        against = await self._template(reference, whole=whole)
        found = [_finding(error) for error in broken(values, against)]
        if not record.whole:
            private = {one.name for one in against.attributes if one.visibility is not Visibility.PUBLIC}
            found = [one for one in found if one.rule != "required" or one.attribute not in private]
        names = {one.name.upper() for one in against.attributes}
        return CheckView(
            handle=record.handle,
            template=str(reference),
            whole=record.whole,
            findings=len(found),
            attributes=[_checked(one, values, found) for one in against.attributes],
            others=[one for one in found if one.attribute.upper() not in names],
        )

    async def _template(self, reference: Reference, *, whole: bool) -> Template:
        for value in _templates(await self._values(reference.handle, whole=whole)):
            if value.index == reference.index and value.type == TEMPLATE:
                return read_template(value.data)
        raise TemplateMissingError(f"there is no template {reference}")

    async def _values(self, handle: str, *, whole: bool) -> tuple[Value, ...]:
        return _valued((await self._records.read(handle, whole=whole)).values)


def _valued(shown: Sequence[dict[str, Any]]) -> tuple[Value, ...]:
    """Values as records have them; secrets, of which nothing is shown, are left out: no template asks for one."""
    return tuple(value_from_json(one, f"$[{place}]") for place, one in enumerate(shown) if one["data"]["format"] != "secret")


def _templates(values: Sequence[Value]) -> list[Value]:
    return [value for value in values if value.type in (TEMPLATE, DRAFT)]


def _item(one: Listed, listing: Listing, *, whole: bool) -> TemplateItem | None:
    values = [value for value in _templates(unpack_values(one.packed)) if whole or value.public_read]
    if not values:
        return None
    versions = sorted(value.index for value in values if value.type == TEMPLATE)
    last = max(values, key=lambda value: (value.type == TEMPLATE, value.index))
    shown = _version(last).template or {}
    count = listing.count_naming(key_of(one.handle), _COUNTED + 1)
    return TemplateItem(
        handle=one.handle,
        title=shown.get("title", {}),
        versions=versions,
        drafts=len(values) - len(versions),
        attributes=len(shown.get("attributes", ())),
        records=min(count, _COUNTED),
        more=count > _COUNTED,
    )


def _version(value: Value) -> TemplateVersion:
    template, problem = None, ""
    try:
        template = msgspec.to_builtins(read_template(value.data))
    except TemplateError as error:
        problem = error.message
    return TemplateVersion(
        version=value.index, draft=value.type == DRAFT, public=bool(value.public_read), template=template, problem=problem
    )


def _finding(error: AttributeRuleError) -> FindingView:
    what = error.message.partition(": ")[2]
    return FindingView(attribute=error.attribute, rule=error.rule, message=what, index=error.index)


def _checked(one: Attribute, values: Sequence[Value], found: Sequence[FindingView]) -> AttributeCheck:
    own = [value.data.decode("utf-8", "replace")[:_LONGEST] for value in values if value.type.upper() == one.name.upper()]
    return AttributeCheck(
        name=one.name,
        title=dict(one.title),
        type=one.type.value,
        unit=one.unit,
        required=one.required,
        public=one.visibility is Visibility.PUBLIC,
        values=own[:20],
        findings=[each for each in found if each.attribute.upper() == one.name.upper()],
    )
