"""The one place where a record is checked against what it says of itself, whichever way a change of it came."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from hulian.network.identifiers.metadata.attributes import is_handle, problem
from hulian.network.identifiers.metadata.errors import (
    AttributeRuleError,
    MetadataError,
    PublishedError,
    RelationError,
    TemplateMissingError,
)
from hulian.network.identifiers.metadata.grants import read_grant, write_grant
from hulian.network.identifiers.metadata.template import (
    Attribute,
    Template,
    Visibility,
    read_template,
    reference_of,
    write_template,
)
from hulian.network.identifiers.metadata.templates import Templates
from hulian.network.identifiers.store.kinds import DRAFT, GOVERNED, GRANT, RECORD, REFERRED_BY, RELATIONS, TEMPLATE
from hulian.network.identifiers.wire.codes import Permission
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["Rules", "broken", "named_template"]

_PUBLIC: Final = Permission.PUBLIC_READ.value | Permission.PUBLIC_WRITE.value


class Rules:
    """Checks records against their templates, and values of our own types against their form.

    A record that holds none of these passes untouched. What it is handed back is what is stored: templates and grants in their
    canonical form, permission bits as the template has them, grants hidden from the public.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def checked(self, before: Sequence[Value], after: tuple[Value, ...] | None) -> tuple[Value, ...] | None:
        """The values to store for ``after`` (None: the record goes), where ``before`` are those that are there.

        Raises `MetadataError` and its kinds, which say the value, the attribute and the rule.
        """
        if after is None or not any(value.type.upper() in GOVERNED for value in after):
            _unpublished(before, after or ())
            return after
        there = {value.index: value for value in before}
        values = tuple(value if there.get(value.index) == value else _formed(value) for value in after)
        _unpublished(before, values)
        _next_version(before, values)
        reference = named_template(values)
        if reference is None:
            return values
        template = await self._templates.template(reference)
        return _conforming(values, template)


def named_template(values: Sequence[Value]) -> Reference | None:
    """The template that a record of ``values`` names. Raises `MetadataError` where it names more than one, or none."""
    found = [value for value in values if value.type == RECORD]
    if not found:
        return None
    if len(found) > 1:
        raise MetadataError("a record follows one template", index=found[1].index, hint=f"one {RECORD} is enough")
    reference = reference_of(found[0].data.decode(errors="replace"))
    if reference is None:
        raise TemplateMissingError(f"{RECORD} names its template as version:handle", index=found[0].index)
    return reference


def _unpublished(before: Sequence[Value], after: Sequence[Value]) -> None:
    """Raises where a published version would not be what it was."""
    left = {value.index: value for value in after}
    for value in before:
        if value.type == TEMPLATE:
            now = left.get(value.index)
            if now is None or (now.type, now.data) != (value.type, value.data):
                raise PublishedError(f"version {value.index} of this template is published", index=value.index)


def _next_version(before: Sequence[Value], after: Sequence[Value]) -> None:
    last = max((value.index for value in before if value.type == TEMPLATE), default=0)
    known = {value.index for value in before if value.type == TEMPLATE}
    for value in after:
        if value.type == TEMPLATE and value.index not in known and value.index < last:
            raise PublishedError(f"version {value.index} would come behind version {last}", index=value.index)


def _formed(value: Value) -> Value:
    """``value`` in its canonical form."""
    kind = value.type
    if kind.upper() not in GOVERNED:
        return value
    if kind not in GOVERNED:
        raise MetadataError(f"{kind} is written {kind.upper()}", index=value.index)
    try:
        if kind in (TEMPLATE, DRAFT):
            return msgspec.structs.replace(value, data=write_template(read_template(value.data)))
        if kind == GRANT:
            # Whom somebody deals with is nobody else's business.
            permissions = value.permissions & ~_PUBLIC
            return msgspec.structs.replace(value, data=write_grant(read_grant(value.data)), permissions=permissions)
    except MetadataError as error:
        error.index = value.index
        raise
    if (kind in RELATIONS or kind.startswith(REFERRED_BY)) and not is_handle(value.data.decode(errors="replace")):
        raise RelationError(f"{kind} names a handle: prefix/suffix", index=value.index)
    return value


def broken(values: Sequence[Value], template: Template) -> Iterator[AttributeRuleError]:
    """Every rule of ``template`` that a record of ``values`` breaks, in the order of the values; what is missing comes last."""
    return _broken(values, template, _Places(template))


def _broken(values: Sequence[Value], template: Template, places: _Places) -> Iterator[AttributeRuleError]:
    seen: set[str] = set()
    for value in values:
        try:
            attribute = places.of(value)
        except AttributeRuleError as error:
            yield error
            continue
        if attribute is None:
            continue
        seen.add(attribute.name)
        if wrong := problem(attribute, value.data):
            yield AttributeRuleError(attribute.name, *wrong, index=value.index)
    for attribute in template.attributes:
        if attribute.required and attribute.name not in seen:
            yield AttributeRuleError(attribute.name, "required", "the record has no such value")


def _conforming(values: tuple[Value, ...], template: Template) -> tuple[Value, ...]:
    """``values`` with the permissions that the template gives them. Raises `AttributeRuleError`."""
    places = _Places(template)
    for error in _broken(values, template, places):
        raise error
    made = []
    for value in values:
        attribute = places.of(value)
        if attribute is None:
            made.append(value)
            continue
        public = Permission.PUBLIC_READ.value if attribute.visibility is Visibility.PUBLIC else 0
        public |= Permission.PUBLIC_WRITE.value if attribute.writing == "everyone" else 0
        permissions = value.permissions & ~_PUBLIC | public
        made.append(value if permissions == value.permissions else msgspec.structs.replace(value, permissions=permissions))
    return tuple(made)


class _Places:
    """The attributes of a template by name and by index: a record has up to 2,048 values, and a template 512 attributes."""

    def __init__(self, template: Template) -> None:
        self._open = template.open
        self._named = {one.name.upper(): one for one in template.attributes}
        self._ordered = sorted(template.attributes, key=lambda one: one.index)
        self._begins = [one.index for one in self._ordered]

    def of(self, value: Value) -> Attribute | None:
        """The attribute of ``value``; None where the template does not ask. Raises `AttributeRuleError`."""
        named, placed = self._named.get(value.type.upper()), self._at(value.index)
        if named is not None:
            if named is not placed:
                last = named.index + named.most - 1
                place = f"index {named.index}" if named.most == 1 else f"the indexes {named.index} to {last}"
                raise AttributeRuleError(named.name, "index", f"it stands at {place}, not at {value.index}", index=value.index)
            return named
        if placed is not None:
            why = f"index {value.index} is its place, not that of {value.type}"
            raise AttributeRuleError(placed.name, "index", why, index=value.index)
        if self._open or value.type.upper().startswith(("HS_", "HULIAN.")):
            return None
        raise AttributeRuleError(value.type, "closed", "the template has no such attribute", index=value.index)

    def _at(self, index: int) -> Attribute | None:
        place = bisect_right(self._begins, index) - 1
        found = self._ordered[place] if place >= 0 else None
        return found if found is not None and index < found.index + found.most else None
