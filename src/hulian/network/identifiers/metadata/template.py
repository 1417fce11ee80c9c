"""Templates: which attributes a record of a kind has, of what type and unit, what they mean, and who may see them.

The text of a template is canonical JSON: members in the order of their names, no spaces, nothing that has its usual value.
"""

from __future__ import annotations

import itertools
import math
import re
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.metadata.errors import TemplateError
from hulian.network.identifiers.store.kinds import GOVERNED, RELATIONS
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Attribute", "AttributeType", "ClassGrant", "Template", "Visibility", "read_template", "write_template"]

LARGEST: Final = 65_536
"""Bytes of a template."""

MOST_ATTRIBUTES: Final = 512
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")
_MEANING: Final = re.compile(
    r"\d{4}[-/]\S{1,35}[#/]\S{1,100}"  # an IRDI: ISO/IEC 11179-6, as ECLASS and the IEC dictionary write them
    r"|\d+(\.\d+)+"  # an object identifier
    r"|[A-Za-z][A-Za-z0-9+.-]*:\S{1,240}"  # an address
)
_REFERENCE: Final = re.compile(r"\d{1,10}:[^/\x00-\x1f]+/[^\x00-\x1f]+")
_I32: Final = 0x7FFFFFFF

ShortText = Annotated[str, Meta(max_length=512)]


class AttributeType(StrEnum):
    """What the data of an attribute are, always as UTF-8 text."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"
    URL = "url"
    REFERENCE = "reference"
    JSON = "json"


class Visibility(StrEnum):
    """Who may read an attribute without a grant."""

    ADMIN = "admin"
    PUBLIC = "public"


class ClassGrant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``to`` (``index:handle``, a key or a group) may read the attribute in every record of the template, or edit it."""

    to: Annotated[str, Meta(max_length=2048)]
    may: Literal["read", "edit"]


class Attribute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One attribute: its ``name`` is the type of its values, which stand at ``index`` and, up to ``most``, behind it.

    ``semantic`` says what it means, as IRDI, object identifier or address. ``unit`` is for numbers, ``language`` for texts
    (BCP 47). ``low`` and ``high`` bound numbers, ``longest`` is in characters, ``choices`` are all that it may be.
    ``writing`` "everyone" lets whoever has proved who they are change it.
    """

    name: str
    type: AttributeType
    index: Annotated[int, Meta(ge=1, le=_I32)]
    title: dict[ShortText, ShortText] = {}
    unit: Annotated[str, Meta(max_length=64)] = ""
    semantic: Annotated[str, Meta(max_length=256)] = ""
    language: str = ""
    visibility: Visibility = Visibility.ADMIN
    writing: Literal["administrators", "everyone"] = "administrators"
    required: bool = False
    most: Annotated[int, Meta(ge=1, le=1024)] = 1
    low: float | None = None
    high: float | None = None
    longest: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    choices: Annotated[tuple[ShortText, ...], Meta(max_length=256)] = ()
    grants: Annotated[tuple[ClassGrant, ...], Meta(max_length=64)] = ()


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One version. A record that names it has no other values than these, unless it is ``open``; types that begin with
    ``HS_`` or ``HULIAN.`` are the node's business, and always allowed."""

    title: dict[ShortText, ShortText] = {}
    note: Annotated[str, Meta(max_length=4096)] = ""
    open: bool = False
    attributes: Annotated[tuple[Attribute, ...], Meta(min_length=1, max_length=MOST_ATTRIBUTES)]


@lru_cache(maxsize=256)
def read_template(data: bytes) -> Template:
    """The template that ``data`` say. Raises `TemplateError`.

    >>> read_template(b'{"attributes":[{"index":2000,"name":"mass","type":"number","unit":"kg"}]}').attributes[0].unit
    'kg'
    """
    if len(data) > LARGEST:
        raise TemplateError(f"a template of {len(data)} bytes, where {LARGEST} are allowed")
    try:
        found = msgspec.json.decode(data, type=Template)
    except UNREADABLE as error:
        raise TemplateError(f"no template: {error}") from None
    names: set[str] = set()
    for place, attribute in enumerate(found.attributes):
        if why := _broken(attribute):
            raise TemplateError(why, place=f"$.attributes[{place}]")
        if attribute.name.upper() in names:
            raise TemplateError(f"two attributes are named {attribute.name}", place=f"$.attributes[{place}].name")
        names.add(attribute.name.upper())
    ordered = sorted(found.attributes, key=lambda one: one.index)
    for one, following in itertools.pairwise(ordered):
        if one.index + one.most > following.index:
            raise TemplateError(f"{one.name} and {following.name} stand at the same index", place="$.attributes")
    return found


def write_template(template: Template) -> bytes:
    """Canonical JSON.

    >>> write_template(read_template(b'{"attributes":[{"type":"number","name":"mass","index":2000,"required":false}]}'))
    b'{"attributes":[{"index":2000,"name":"mass","type":"number"}]}'
    """
    return msgspec.json.encode(template, order="sorted")


def _broken(one: Attribute) -> str:
    """Which rule ``one`` breaks; empty where it breaks none."""
    numeric = one.type in (AttributeType.NUMBER, AttributeType.INTEGER)
    relation = one.name in RELATIONS
    system = one.name.upper().startswith(("HS_", "HULIAN."))
    bounds = [bound for bound in (one.low, one.high) if bound is not None]
    rules = (
        (_NAME.fullmatch(one.name) is not None, f"{one.name[:80]!r} is no name: letters, digits, '_', '.' and '-'"),
        (relation or not system, f"{one.name} is a name that attributes do not have"),
        (not relation or one.type is AttributeType.REFERENCE, f"{one.name} is a reference"),
        (one.name not in GOVERNED or relation, f"{one.name} is the node's own"),
        (one.index + one.most - 1 <= _I32, f"{one.name} ends behind the last index"),
        (not one.unit or numeric, f"{one.name} has a unit, and is no number"),
        (not one.language or one.type is AttributeType.TEXT, f"{one.name} has a language, and is no text"),
        (not one.language or _LANGUAGE.fullmatch(one.language) is not None, f"{one.language[:40]!r} is no language (BCP 47)"),
        (not one.semantic or _MEANING.fullmatch(one.semantic) is not None, f"{one.semantic[:80]!r} is no IRDI, OID or address"),
        (not bounds or numeric, f"{one.name} has bounds, and is no number"),
        (
            all(math.isfinite(bound) for bound in bounds) and bounds == sorted(bounds),
            f"{one.name} has bounds that none can keep",
        ),
        (all(_REFERENCE.fullmatch(grant.to) for grant in one.grants), f"a grant of {one.name} is to nobody: index:handle"),
    )
    return next((why for kept, why in rules if not kept), "")


def reference_of(text: str) -> Reference | None:
    """What ``index:handle`` names; None where it is not of that form, or the index does not fit into 32 bits."""
    if not _REFERENCE.fullmatch(text):
        return None
    found = Reference.parse(text)
    return found if found.index <= _I32 else None
