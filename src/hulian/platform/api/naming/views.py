"""What the calls about identifiers answer and take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from hulian.platform.api.contract import Refusal

__all__ = [
    "HopView",
    "LabelItem",
    "LabelsBody",
    "NodesView",
    "OwnNodeView",
    "PrefixView",
    "RecordChange",
    "RecordCreation",
    "RecordItem",
    "RecordPage",
    "RecordView",
    "ResolvedView",
    "ServerView",
    "SheetBody",
    "SiteView",
    "TierView",
]

Says = msgspec.Meta
Handle = Annotated[str, Says(min_length=1, max_length=2048)]
Index = Annotated[int, Says(ge=1, le=2**31 - 1)]


class HopView(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a path: ``asked`` of ``node`` (root, between, answer) at ``address``, and how long it took.

    ``code`` is the response code of the protocol, 0 where no sound answer came; ``error`` says why.
    """

    node: str
    asked: str
    address: str
    code: int
    answer: str
    error: str
    ms: float


class ResolvedView(msgspec.Struct, frozen=True, kw_only=True):
    """What a text stands for. ``outcome``: found, nothing (nobody has registered it), or failed with ``error``.

    ``handle`` is what was asked for; ``values`` are in the JSON form of the Handle System. ``point`` is the point of this plant
    of that name, ``thing`` the thing whose points are known here; empty where there is none.
    """

    text: str
    scheme: str
    normal: str
    parts: dict[str, str]
    handle: str
    outcome: str
    code: int
    message: str
    values: list[dict[str, Any]]
    path: list[HopView]
    ms: float
    error: Refusal | None = None
    point: str = ""
    thing: str = ""


class ServerView(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a site: what it says when it is asked for its site record. ``ms`` is None where nothing came in time."""

    address: str
    interfaces: list[str]
    ok: bool
    ms: float | None
    error: str
    serial: int | None = None


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    """One site of a service. ``behind``: changes that a mirror lacks of the primary's; None where it does not say."""

    primary: bool
    serial: int
    version: str
    description: str
    servers: list[ServerView]
    own: bool
    changes: int | None = None
    behind: int | None = None


class TierView(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix and the service that answers for it; ``0.NA`` is the root. ``below`` are prefixes that this node registered."""

    prefix: str
    own: bool
    sites: list[SiteView]
    below: list[str]
    error: Refusal | None = None


class PrefixView(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix that this node answers for, and how many records it has; ``more`` where they were not counted to the end."""

    prefix: str
    records: int
    more: bool


class OwnNodeView(msgspec.Struct, frozen=True, kw_only=True):
    """The node of this installation: tier, address, whether it answers, and what it answers for."""

    role: str
    address: str
    ok: bool
    ms: float | None
    error: str
    prefixes: list[PrefixView]


class NodesView(msgspec.Struct, frozen=True, kw_only=True):
    """This node, and the tiers from the root down to it."""

    own: OwnNodeView
    tiers: list[TierView]


class RecordItem(msgspec.Struct, frozen=True, kw_only=True):
    """A record, and the types of its values that everybody may read."""

    handle: str
    types: list[str]
    changed_ms: float


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """By key. ``next`` is the cursor of the following page; ``total`` is counted up to a bound (``more``)."""

    items: list[RecordItem]
    next: str | None
    total: int
    more: bool


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """The values of a record; ``whole`` where those that only administrators may read are among them."""

    handle: str
    values: list[dict[str, Any]]
    whole: bool


class RecordCreation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new record; values in the JSON form of the Handle System."""

    handle: Handle
    values: Annotated[list[dict[str, Any]], Says(min_length=1, max_length=500)]


class RecordChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values to add, or to put in the place of those with the same index, and indexes to remove."""

    put: Annotated[list[dict[str, Any]], Says(max_length=500)] = []
    remove: Annotated[list[Index], Says(max_length=500)] = []


class LabelItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One label: what it names, and lines below the symbol."""

    identifier: Handle
    lines: Annotated[list[Annotated[str, Says(max_length=200)]], Says(max_length=6)] = []


class SheetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Places on a page: a4, a5, letter, or millimetres such as 50x30."""

    page: Annotated[str, Says(min_length=2, max_length=20)] = "a4"
    across: Annotated[int, Says(ge=1, le=50)] = 1
    down: Annotated[int, Says(ge=1, le=50)] = 1
    margin: Annotated[float, Says(ge=0, le=200)] = 0
    gap: Annotated[float, Says(ge=0, le=200)] = 0


class LabelsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Labels to draw: sizes are millimetres, 0 takes the symbology's own. Of SVG and PNG it is the page ``number``."""

    labels: Annotated[list[LabelItem], Says(min_length=1, max_length=1000)]
    symbology: Literal["qr", "datamatrix", "code128", "gs1-128", "ean", "ean-13", "ean-8", "upc-a", "digital-link"] = "qr"
    form: Literal["svg", "png", "pdf"] = "svg"
    sheet: SheetBody | None = None
    module: Annotated[float, Says(ge=0, le=20)] = 0
    bar_height: Annotated[float, Says(ge=0, le=500)] = 0
    font_size: Annotated[float, Says(ge=0.5, le=50)] = 2.5
    readable: bool = True
    stem: Annotated[str, Says(max_length=500)] = ""
    error_correction: Literal["L", "M", "Q", "H"] = "M"
    dpi: Annotated[int, Says(ge=72, le=600)] = 300
    number: Annotated[int, Says(ge=1, le=1000)] = 1
