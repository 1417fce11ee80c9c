"""What the calls about applications for prefixes, templates and statistics answer and take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

__all__ = [
    "AnswersView",
    "ApplicationBody",
    "ApplicationItem",
    "ApplicationPage",
    "ApplicationView",
    "AttributeCheck",
    "CheckView",
    "FaultView",
    "FindingView",
    "LatencyView",
    "OfficesView",
    "RegistrationBody",
    "SealView",
    "SignedRegistration",
    "SpanView",
    "StatisticsView",
    "StepBody",
    "StepView",
    "TemplateBody",
    "TemplateItem",
    "TemplatePage",
    "TemplateVersion",
    "TemplateView",
]

Says = msgspec.Meta
Handle = Annotated[str, Says(min_length=1, max_length=2048)]
At = Literal["here", "above"]
"""At which node an application is: this one, or the one above it."""


class OfficesView(msgspec.Struct, frozen=True, kw_only=True):
    """Where prefixes can be applied for: ``here`` below ``prefixes`` where this node gives them out, and ``above``, the address
    of the node above (empty: none is named). ``public_key`` is that of this installation, in PEM; empty where it cannot sign.
    ``needs_reason`` are the steps that are not taken without one."""

    role: str
    here: bool
    prefixes: list[str]
    above: str
    public_key: str
    needs_reason: list[str]


class ApplicationItem(msgspec.Struct, frozen=True, kw_only=True):
    """One application in the list."""

    id: str
    prefix: str
    organisation: str
    state: str
    revision: int
    applied: str
    changed: str


class ApplicationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first; ``next`` is the ``after`` of the following page."""

    items: list[ApplicationItem]
    next: int | None


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done, from state ``before`` to ``after``; ``by`` is the key that did it, as index:handle."""

    at: str
    by: str
    action: str
    before: str
    after: str
    reason: str = ""


class ApplicationView(msgspec.Struct, frozen=True, kw_only=True):
    """One application. ``actions`` are those that this installation can take now; ``mine`` where its own key has applied.

    The contact is shown to who may change identifiers; for others ``whole`` is false.
    """

    id: str
    prefix: str
    state: str
    revision: int
    applied: str
    changed: str
    registration: dict[str, Any]
    actions: list[str]
    remarks: list[str]
    history: list[StepView]
    mine: bool
    whole: bool


class SealView(msgspec.Struct, frozen=True, kw_only=True):
    """``steps`` in the history of all applications, each sealed over those before it; every seal was computed again."""

    steps: int


class SignedRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text of a registration, and the signature over it in Base64."""

    registration: Annotated[str, Says(min_length=2, max_length=65_536)]
    signature: Annotated[str, Says(min_length=1, max_length=8_192)]


class RegistrationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registration that is signed here, with the key of this installation."""

    registration: dict[str, Any]


class ApplicationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An application: either ``registration``, signed here, or ``signed``, as the applicant has signed it."""

    at: At = "here"
    registration: dict[str, Any] | None = None
    signed: SignedRegistration | None = None


class StepBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step. ``revision`` is that of the application which was seen: where somebody was quicker, the step is refused."""

    at: At = "here"
    reason: Annotated[str, Says(max_length=2_000)] = ""
    revision: int | None = None
    registration: dict[str, Any] | None = None
    signed: SignedRegistration | None = None


class TemplateItem(msgspec.Struct, frozen=True, kw_only=True):
    """A template: its versions, how many attributes the last one has, and how many records name it (``more``: at least)."""

    handle: str
    title: dict[str, str]
    versions: list[int]
    drafts: int
    attributes: int
    records: int
    more: bool


class TemplatePage(msgspec.Struct, frozen=True, kw_only=True):
    """By key. ``next`` is the cursor of the following page, which may hold nothing: each looks at so many records."""

    items: list[TemplateItem]
    next: str | None


class TemplateVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version; ``draft`` where no record can name it yet. ``problem`` says why the value is no template."""

    version: int
    draft: bool
    public: bool
    template: dict[str, Any] | None
    problem: str = ""


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """All versions, the newest first, and records of this node that name one (the first ones, where there are ``more``)."""

    handle: str
    versions: list[TemplateVersion]
    records: list[str]
    more: bool


class TemplateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template, or another version of one: ``version`` is its number, one more than the last."""

    template: dict[str, Any]
    handle: Annotated[str, Says(max_length=2048)] = ""
    version: Annotated[int, Says(ge=1, le=2**31 - 1)] = 1


class FindingView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is broken: of which attribute, where (0: nowhere, it is missing), and how."""

    attribute: str
    rule: str
    message: str
    index: int


class AttributeCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute of the template, what the record says of it, and what is wrong with that."""

    name: str
    title: dict[str, str]
    type: str
    unit: str
    required: bool
    public: bool
    values: list[str]
    findings: list[FindingView]


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """A record beside a template. ``others`` are findings of values that are no attribute. Without ``whole`` only what
    everybody may read was looked at, and nothing is missed that is private."""

    handle: str
    template: str
    whole: bool
    findings: int
    attributes: list[AttributeCheck]
    others: list[FindingView]


class LatencyView(msgspec.Struct, frozen=True, kw_only=True):
    """Times of ``count`` answers in ms, and when the quickest and the slowest were (RFC 3339)."""

    count: int
    mean_ms: float
    min_ms: float
    max_ms: float
    min_at: str
    max_at: str


class AnswersView(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers of one kind had one response code of the protocol."""

    kind: str
    code: int
    text: str
    count: int


class SpanView(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time that begins at ``begin`` (RFC 3339). ``latency`` is by kind; ``registered`` is -1 where nobody knows."""

    begin: str
    requests: int
    successes: int
    dropped: int
    over_budget: int
    peak: int
    peak_at: str
    created: int
    changed: int
    deleted: int
    registered: int
    latency: dict[str, LatencyView]


class FaultView(msgspec.Struct, frozen=True, kw_only=True):
    """A fault event. ``cause``: 1 network, 2 system, 3 attack, 4 other; ``over`` is None while it lasts."""

    id: int
    cause: int
    code: str
    at: str
    over: str | None
    subject: str
    message: str
    meaning: str


class StatisticsView(msgspec.Struct, frozen=True, kw_only=True):
    """What the node has counted: each hour or day of the time up to now, their ``whole``, and its answers. ``complete`` is
    false where the node was not reached: what it counted in the last minute is then missing."""

    by: str
    since: str
    complete: bool
    spans: list[SpanView]
    whole: SpanView
    answers: list[AnswersView]
    faults: list[FaultView]
