"""Grants of one record: who beside its administrators may read or edit which of its values.

Everyone is granted by the permission bits of the protocol, so that every other node understands it. Listed identities and
groups stand in a HULIAN.GRANT value: ``{"to": ["300:88.111.2/buyer", "200:88.111.2/buyers"], "read": ["price", 2001]}``. What
is granted is named by type or by index; ``*`` is every value that can be granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.metadata.errors import GrantError
from hulian.network.identifiers.metadata.template import Template, reference_of
from hulian.network.identifiers.store.kinds import DRAFT, GRANT, RECORD, TEMPLATE
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["FIXED", "Grant", "Granted", "Right", "grantable", "granted_by", "read_grant", "write_grant"]

LARGEST: Final = 16_384
Right = Literal["read", "edit"]
What = Annotated[int, Meta(ge=1, le=0x7FFFFFFF)] | Annotated[str, Meta(min_length=1, max_length=256)]
FIXED: Final = frozenset((GRANT, RECORD, TEMPLATE, DRAFT))
"""Types of ours that decide about others: administrators alone change them, and nobody is granted them."""


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``to`` are keys and groups as ``index:handle``; an index of 0 stands for any key of the handle. Editing is no reading."""

    to: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]
    read: Annotated[tuple[What, ...], Meta(max_length=256)] = ()
    edit: Annotated[tuple[What, ...], Meta(max_length=256)] = ()


class Granted(msgspec.Struct, frozen=True):
    """``who`` has a right to the values that ``what`` names."""

    who: Reference
    what: tuple[int | str, ...]

    def covers(self, value: Value) -> bool:
        """Whether ``value`` is one of them."""
        return any(
            one == "*" or one == value.index or (isinstance(one, str) and one.upper() == value.type.upper())
            for one in self.what
        )


@lru_cache(maxsize=1024)
def read_grant(data: bytes) -> Grant:
    """The grant that ``data`` say. Raises `GrantError`."""
    if len(data) > LARGEST:
        raise GrantError(f"a grant of {len(data)} bytes, where {LARGEST} are allowed")
    try:
        found = msgspec.json.decode(data, type=Grant)
    except UNREADABLE as error:
        raise GrantError(f"no grant: {error}") from None
    for place, text in enumerate(found.to):
        if reference_of(text) is None:
            hint = "everyone is granted by permission bits: public-read, public-write" if text == "everyone" else ""
            raise GrantError(f"{text[:80]!r} is nobody: index:handle of a key or a group", place=f"$.to[{place}]", hint=hint)
    if not found.read and not found.edit:
        raise GrantError("a grant of nothing", hint="'read' and 'edit' list types or indexes of values")
    return found


def write_grant(grant: Grant) -> bytes:
    """Canonical JSON."""
    return msgspec.json.encode(grant, order="sorted")


def grantable(value: Value) -> bool:
    """Whether somebody can be granted ``value``: never keys, administrators, services, or what grants others."""
    return not value.type.upper().startswith("HS_") and value.type.upper() not in FIXED


def granted_by(values: Sequence[Value], template: Template | None, right: Right) -> list[Granted]:
    """What the record with ``values`` grants, and the ``template`` that it names."""
    found = [*_of_record(values, right)]
    if template is not None:
        found += [
            Granted(reference, (attribute.name,))
            for attribute in template.attributes
            for grant in attribute.grants
            if grant.may == right and (reference := reference_of(grant.to)) is not None
        ]
    return found


def _of_record(values: Sequence[Value], right: Right) -> Iterable[Granted]:
    for value in values:
        if value.type != GRANT:
            continue
        try:
            grant = read_grant(value.data)
        except GrantError:
            continue  # written by other means: it grants nothing
        what = grant.read if right == "read" else grant.edit
        if what:
            yield from (Granted(reference, what) for text in grant.to if (reference := reference_of(text)) is not None)
