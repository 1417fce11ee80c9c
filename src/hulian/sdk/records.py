"""What the platform answers, as values. A field that a newer platform adds is ignored; nothing here can be sent back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

__all__ = [
    "Admission",
    "Annotation",
    "AuditRecord",
    "Browsing",
    "Certificate",
    "Command",
    "Connector",
    "ConnectorCopy",
    "Device",
    "DryRun",
    "Edge",
    "Event",
    "Health",
    "Invitation",
    "Job",
    "Last",
    "Ledger",
    "LedgerRow",
    "PointInfo",
    "ProtocolInfo",
    "Sample",
    "Session",
    "Thing",
    "Token",
    "Tree",
    "User",
]


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """Fields in any order, unknown ones ignored."""


class Session(_Record, frozen=True, kw_only=True):
    """Who is logged in."""

    user: str
    role: str
    scopes: list[str]
    csrf: str
    must_change_password: bool
    organisation: str = ""
    version: str = ""


class Last(_Record, frozen=True, kw_only=True):
    """The newest sample of a point. ``value`` is text, ``number`` its value where it is one."""

    name: str = ""
    series: str = ""
    unit: str = ""
    time_ms: float | None = None
    value: str | None = None
    number: float | None = None
    status: int | None = None
    quality: str = ""
    quality_name: str = ""

    @property
    def time(self) -> datetime | None:
        """When the device measured it, UTC."""
        return None if self.time_ms is None else datetime.fromtimestamp(self.time_ms / 1000, UTC)


class PointInfo(_Record, frozen=True, kw_only=True):
    """A point. ``series`` is the 64-bit id of its values, as text."""

    name: str
    series: str
    storage: str
    kind: str
    tag: str = ""
    path: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    raw_low: float | None = None
    raw_high: float | None = None
    texts: dict[str, str] = {}
    enumeration: dict[str, dict[str, str]] = {}
    connector: str = ""
    address: str = ""
    writable: bool = False
    enabled: bool = True
    options: dict[str, Any] = {}
    last: Last | None = None


class ConnectorCopy(_Record, frozen=True, kw_only=True):
    """A copied connector and its points."""

    name: str
    made: bool
    points: list[PointInfo]


class Thing(_Record, frozen=True, kw_only=True):
    """A thing of the plant."""

    identifier: str
    label: str
    points: int


class Branch(_Record, frozen=True, kw_only=True):
    """A place of the plant."""

    name: str
    path: str
    things: int
    points: int


class Tree(_Record, frozen=True, kw_only=True):
    """One level of the plant."""

    branches: list[Branch]
    things: list[Thing]


class Connector(_Record, frozen=True, kw_only=True):
    """A connection to a device, and how it is; ``status`` is empty while nothing is heard of it."""

    name: str
    protocol: str
    url: str
    enabled: bool
    edge: str = ""
    version: int = 0
    points: int = 0
    settings: dict[str, Any] = {}
    credentials: dict[str, str] = {}
    status: dict[str, Any] | None = None


class DryRun(_Record, frozen=True, kw_only=True):
    """What would have come of ``taken`` recorded samples: ``passed`` of them, ``bad`` of those; ``series`` draws them."""

    taken: int
    passed: int
    bad: int
    series: dict[str, list[Any]]
    events: list[dict[str, Any]]
    clock_ms: float
    truncated: bool


class Edge(_Record, frozen=True, kw_only=True):
    """A node beside the machines; ``status`` is empty while nothing is heard of it. ``ordered`` is the newest order for it."""

    name: str
    state: str
    fingerprint: str
    source: str = ""
    connectors: list[str] = []
    decided_by: str = ""
    expires_ms: float = 0.0
    ordered: int = 0
    heard_ms: float | None = None
    status: dict[str, Any] | None = None


class Invitation(_Record, frozen=True, kw_only=True):
    """An invitation of an edge node. Its ``secret`` is there once, in the answer to the call that made it."""

    secret: str = ""
    id: str = ""
    label: str = ""
    expires_ms: float = 0.0


class Admission(_Record, frozen=True, kw_only=True):
    """How an enrolment stands, with what the node needs once it is approved."""

    state: str
    organisation: str = ""
    certificate: str = ""
    authority: str = ""
    leaf_port: int = 0
    orders: str = ""


class ProtocolInfo(_Record, frozen=True, kw_only=True):
    """A protocol that the platform speaks."""

    name: str
    schemes: list[str]
    settings_schema: dict[str, Any] = {}


class Node(_Record, frozen=True, kw_only=True):
    """What a device shows at one address: a branch to open, or a leaf that can become a point."""

    address: str
    name: str
    path: list[str] = []
    leaf: bool = False
    storage: str | None = None
    kind: str = "continuous"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    writable: bool = False
    description: str = ""
    value: str = ""
    options: dict[str, Any] = {}


class Certificate(_Record, frozen=True, kw_only=True):
    """A certificate that a device showed, and what a person decided about it. ``thumbprint`` is SHA-256."""

    thumbprint: str
    sha1: str = ""
    state: str
    subject: str
    issuer: str = ""
    application_uri: str = ""
    peer: str = ""
    edge: str = ""
    not_before_ms: float = 0
    not_after_ms: float = 0
    warning: str = ""
    first_seen_ms: float = 0
    last_seen_ms: float = 0
    decided_by: str = ""


class Browsing(_Record, frozen=True, kw_only=True):
    """What browsing found; ``certificate`` is set where a person first has to approve it."""

    nodes: list[Node]
    protocol: str = ""
    truncated: bool = False
    certificate: Certificate | None = None


class LedgerRow(_Record, frozen=True, kw_only=True):
    """What became of the samples of one source: sent = stored + pending + dropped + missing."""

    source: str
    epoch: int = 0
    sent: int = 0
    stored: int = 0
    duplicated: int = 0
    missing: int = 0
    dropped: int = 0
    pending: int = 0
    state: str = ""
    last_sequence: int = 0
    since_ms: float | None = None
    last_time_ms: float | None = None


class Ledger(_Record, frozen=True, kw_only=True):
    """Every source, and the sums."""

    rows: list[LedgerRow]
    totals: dict[str, int]


class Event(_Record, frozen=True, kw_only=True):
    """Something that happened."""

    time: str
    time_ms: float
    code: str
    severity: str
    component: str
    subject: str
    message: str
    hint: str = ""
    active: bool | None = None
    details: dict[str, Any] = {}


class Annotation(_Record, frozen=True, kw_only=True):
    """A note of a person."""

    id: str
    start_ms: float
    end_ms: float
    author: str
    text: str
    point: str | None = None
    series: str = "0"
    created_ms: float = 0


class Job(_Record, frozen=True, kw_only=True):
    """Work that goes on; ``done`` of ``total`` bytes are read, the samples lie between ``first_ms`` and ``last_ms``."""

    id: str
    kind: str
    state: str
    owner: str = ""
    name: str = ""
    dry_run: bool = False
    done: int = 0
    total: int = 0
    samples: int = 0
    points: int = 0
    refused: int = 0
    problems: list[str] = []
    first_ms: float | None = None
    last_ms: float | None = None
    error: dict[str, str] | None = None
    phase: str = ""
    version: int | None = None


class ModelVersion(_Record, frozen=True, kw_only=True):
    """One version of a document of the information model; ``waiting``: read, and neither applied nor discarded."""

    key: int
    name: str
    format: str
    nodes: int
    references: int
    lost: int
    noticed: int
    current: bool
    waiting: bool
    form: str = ""
    title: str = ""
    file: str = ""
    size: int = 0
    digest: str = ""
    who: str = ""
    made_ms: float = 0


class ModelPreview(_Record, frozen=True, kw_only=True):
    """What a version would change if it were applied; ``replaces`` is the one that counts now, 0 where there is none."""

    version: ModelVersion
    replaces: int
    unchanged: bool
    errors: int
    warnings: int
    notes_left: int
    differences: dict[str, Any]
    losses: dict[str, Any]
    findings: list[dict[str, Any]]
    requires: list[dict[str, str]]

    @property
    def missing(self) -> list[str]:
        """What it stands on and the model does not have."""
        return [one["namespace"] for one in self.requires if not one["document"]]


class User(_Record, frozen=True, kw_only=True):
    """A person."""

    name: str
    role: str
    display: str = ""
    disabled: bool = False
    must_change_password: bool = False
    created_ms: float = 0
    last_login_ms: float | None = None


class Token(_Record, frozen=True, kw_only=True):
    """An API token; ``secret`` is there once, when it is made."""

    id: str
    owner: str
    label: str
    scopes: list[str]
    created_ms: float = 0
    expires_ms: float | None = None
    last_used_ms: float | None = None
    secret: str = ""


class Device(_Record, frozen=True, kw_only=True):
    """The credential of an MQTT device; ``password`` is there once, when it is made."""

    name: str
    publish: list[str]
    subscribe: list[str] = []
    enabled: bool = True
    created_ms: float = 0
    password: str = ""


class AuditRecord(_Record, frozen=True, kw_only=True):
    """Who did what."""

    sequence: int
    time: str
    principal: str
    action: str
    resource: str
    outcome: str
    source: str = ""
    details: dict[str, Any] = {}


class Command(_Record, frozen=True, kw_only=True):
    """A command that the device has confirmed."""

    identity: str
    point: str
    state: str


class Health(_Record, frozen=True, kw_only=True):
    """How the platform is; the details are there for whoever is logged in."""

    status: str
    components: list[dict[str, Any]] = []
    spine: dict[str, Any] = {}
    historian: dict[str, Any] = {}
    flow: dict[str, Any] = {}
    problems: list[str] = []


class Sample(NamedTuple):
    """One live value. ``time`` is UTC; ``status`` an OPC UA StatusCode, 0 is good."""

    point: str
    time: datetime
    value: Any
    status: int
