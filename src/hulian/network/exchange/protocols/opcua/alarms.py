"""Events, alarms and conditions of a server as events of the house (OPC 10000-9; OPC 10000-4, section 7.22.3).

An alarm keeps its state here only so far as to tell each change once. After every connection the server is asked for all
that it retains (ConditionRefresh); what it no longer mentions has ended while nobody listened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import numpy as np
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from hulian.kernel.event import Event, Severity
from hulian.network.exchange.protocols.contract import Sink
from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.config import Events
from hulian.network.exchange.protocols.opcua.errors import WireError
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.values import Extension, LocalizedText, Reader

__all__ = ["ALARMS", "MODEL", "Alarms", "ModelChange", "alarm_item", "model_changes", "model_item", "severity_of"]

ALARMS: Final = 0xFFFF_FF01
MODEL: Final = 0xFFFF_FF02
"""Client handles of the items that report events; the places of points never come so far."""

_SELECT: Final[tuple[tuple[int, str], ...]] = (
    (ObjectIds.BaseEventType, "EventId"),
    (ObjectIds.BaseEventType, "EventType"),
    (ObjectIds.BaseEventType, "SourceNode"),
    (ObjectIds.BaseEventType, "SourceName"),
    (ObjectIds.BaseEventType, "Time"),
    (ObjectIds.BaseEventType, "Message"),
    (ObjectIds.BaseEventType, "Severity"),
    (ObjectIds.ConditionType, ""),
    (ObjectIds.ConditionType, "ConditionName"),
    (ObjectIds.ConditionType, "BranchId"),
    (ObjectIds.ConditionType, "Retain"),
    (ObjectIds.AlarmConditionType, "ActiveState/Id"),
    (ObjectIds.AcknowledgeableConditionType, "AckedState/Id"),
)
"""(type, path) of the fields we ask for; an empty path is the node id of the condition itself."""

_REFRESH_START: Final = f"i={ObjectIds.RefreshStartEventType}"
_REFRESH_END: Final = f"i={ObjectIds.RefreshEndEventType}"
_REFRESH_REQUIRED: Final = f"i={ObjectIds.RefreshRequiredEventType}"
_OVERFLOW: Final = f"i={ObjectIds.EventQueueOverflowEventType}"
_NO_NODE: Final = ("i=0", "", None)
_REMEMBERED: Final = 10_000
"""Conditions whose state we keep; a server with more of them open at a time is told so."""


class _Fields(NamedTuple):
    identity: Any
    type_id: Any
    source_node: Any
    source: Any
    time: Any
    message: Any
    severity: Any
    condition: Any
    name: Any
    branch: Any
    retain: Any
    active: Any
    acked: Any


class ModelChange(NamedTuple):
    """One change of the address space: ``verb`` is a bit mask (1 added, 2 removed; OPC 10000-3, section 9.32.7)."""

    node: str
    verb: int


def severity_of(number: int) -> Severity:
    """The house's severity for one from 1 to 1000.

    >>> [severity_of(number).value for number in (1, 200, 201, 600, 800, 801)]
    ['info', 'info', 'warning', 'warning', 'error', 'critical']
    """
    if number <= 200:
        return Severity.INFO
    if number <= 600:
        return Severity.WARNING
    return Severity.ERROR if number <= 800 else Severity.CRITICAL


def _operand(kind: int, path: str) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=address.standard(kind),
        BrowsePath=[ua.QualifiedName(name) for name in path.split("/")] if path else [],
        AttributeId=AttributeIds.Value if path else AttributeIds.NodeId,
    )


def _item(node: ua.NodeId, handle: int, queue: int, event_filter: ua.EventFilter) -> ua.MonitoredItemCreateRequest:
    parameters = ua.MonitoringParameters(ClientHandle=handle, SamplingInterval=0, QueueSize=queue, DiscardOldest=True)
    parameters.Filter = event_filter
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.EventNotifier),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=parameters,
    )


def alarm_item(node: ua.NodeId, settings: Events) -> ua.MonitoredItemCreateRequest:
    """Reports the events of the notifier ``node``; the server already leaves out what is not severe enough."""
    event_filter = ua.EventFilter(SelectClauses=[_operand(kind, path) for kind, path in _SELECT])
    if settings.minimum_severity > 1:
        least = ua.LiteralOperand(Value=ua.Variant(settings.minimum_severity, ua.VariantType.UInt16))
        operands: list[Any] = [_operand(ObjectIds.BaseEventType, "Severity"), least]
        element = ua.ContentFilterElement(FilterOperator=ua.FilterOperator.GreaterThanOrEqual, FilterOperands=operands)
        event_filter.WhereClause = ua.ContentFilter(Elements=[element])
    return _item(node, ALARMS, settings.queue_size, event_filter)


def model_item() -> ua.MonitoredItemCreateRequest:
    """Reports changes of the address space."""
    kind: Any = ua.LiteralOperand(Value=ua.Variant(address.standard(ObjectIds.GeneralModelChangeEventType)))
    element = ua.ContentFilterElement(FilterOperator=ua.FilterOperator.OfType, FilterOperands=[kind])
    select = [
        _operand(ObjectIds.BaseEventType, "EventType"),
        _operand(ObjectIds.GeneralModelChangeEventType, "Changes"),
    ]
    event_filter = ua.EventFilter(SelectClauses=select, WhereClause=ua.ContentFilter(Elements=[element]))
    return _item(address.standard(ObjectIds.Server), MODEL, 100, event_filter)


def model_changes(fields: list[tuple[int, Any]]) -> list[ModelChange]:
    """What a GeneralModelChangeEvent says; nothing where a server does not say what has changed."""
    listed = fields[1][1] if len(fields) > 1 else None
    found: list[ModelChange] = []
    for change in listed if isinstance(listed, list) else ():
        if isinstance(change, Extension) and isinstance(change.body, bytes):
            reader = Reader(change.body)
            try:
                node = reader.node_id()
                reader.node_id()
                found.append(ModelChange(node, reader.byte()))
            except WireError:
                continue
    return found


class Alarms:
    """The events of one server on their way to the edge; bounded in rate and in what is remembered.

    ``refresh`` is called when the server's conditions have to be asked for again; ``dropped`` with how many events went.
    """

    def __init__(self, subject: str, settings: Events, refresh: Callable[[], None], dropped: Callable[[int], None]) -> None:
        self._subject = subject
        self._settings = settings
        self._refresh = refresh
        self._dropped = dropped
        self._known: dict[str, tuple[Any, ...]] = {}
        """The last state that was told of each open condition, by its node id; the first of it is its subject."""
        self._mentioned: set[str] | None = None
        self._budget = float(settings.per_minute)
        self._filled_at = time.monotonic()
        self.told = 0

    def take(self, sink: Sink, events: list[tuple[int, list[tuple[int, Any]]]]) -> None:
        """Events as they came from the server, in its order."""
        for handle, values in events:
            if handle == ALARMS and len(values) >= len(_SELECT):
                self._take(sink, _Fields(*(value for _, value in values[: len(_SELECT)])))

    def _take(self, sink: Sink, fields: _Fields) -> None:
        if fields.type_id == _REFRESH_START:
            self._mentioned = set()
        elif fields.type_id == _REFRESH_END:
            self._end_unmentioned(sink)
        elif fields.type_id == _REFRESH_REQUIRED:
            self._refresh()
        elif fields.type_id == _OVERFLOW:
            self._dropped(1)
            self._refresh()
        elif self._wanted(fields):
            if fields.condition in _NO_NODE or fields.branch not in _NO_NODE:
                self._tell(sink, fields, OpcuaEvent.SERVER_EVENT, self._subject, None)
            else:
                self._take_condition(sink, fields)

    def _wanted(self, fields: _Fields) -> bool:
        if isinstance(fields.severity, int) and fields.severity < self._settings.minimum_severity:
            return False
        sources = self._settings.sources
        return not sources or any(fnmatchcase(str(fields.source or ""), pattern) for pattern in sources)

    def _take_condition(self, sink: Sink, fields: _Fields) -> None:
        key = str(fields.condition)
        if self._mentioned is not None:
            self._mentioned.add(key)
        active = bool(fields.active) if fields.active is not None else bool(fields.retain)
        subject = f"{self._subject}/{fields.source or ''}/{fields.name or key}"
        state = (subject, active, bool(fields.acked), fields.severity, _text(fields.message))
        if self._known.get(key) == state or (not active and key not in self._known):
            return
        if len(self._known) >= _REMEMBERED and key not in self._known:
            self._dropped(1)
            return
        if not self._tell(sink, fields, OpcuaEvent.SERVER_ALARM, subject, active):
            return
        if active:
            self._known[key] = state
        else:
            self._known.pop(key, None)

    def _end_unmentioned(self, sink: Sink) -> None:
        """After a refresh: what was open and is not retained any more has ended."""
        for key in set(self._known) - (self._mentioned or set()) if self._mentioned is not None else ():
            subject = self._known.pop(key)[0]
            sink.event(
                Event(
                    time=time.time_ns(), code=OpcuaEvent.SERVER_ALARM, severity=Severity.INFO, component="edge",
                    subject=subject, message="the condition ended while nobody listened", active=False,
                )
            )  # fmt: skip
        self._mentioned = None

    def _tell(self, sink: Sink, fields: _Fields, code: str, subject: str, active: bool | None) -> bool:
        if not self._afford():
            self._dropped(1)
            return False
        number = fields.severity if isinstance(fields.severity, int) else 1
        details: dict[str, Any] = {
            "source": str(fields.source or ""), "source_node": str(fields.source_node or ""),
            "type": str(fields.type_id or ""), "severity": number,
        }  # fmt: skip
        if active is not None:
            details |= {"condition": str(fields.condition), "acked": bool(fields.acked), "active": active}
        sink.event(
            Event(
                time=_time(fields.time), code=str(code), severity=severity_of(number), component="edge", subject=subject,
                message=_text(fields.message) or "an event without a message", active=active, details=details,
            )
        )  # fmt: skip
        self.told += 1
        return True

    def _afford(self) -> bool:
        """Whether one more event is within the accepted rate; a minute's worth may come at once."""
        now = time.monotonic()
        rate = self._settings.per_minute
        self._budget = min(float(rate), self._budget + (now - self._filled_at) * rate / 60)
        self._filled_at = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True


def _text(value: Any) -> str:
    text = value.text if isinstance(value, LocalizedText) else value
    return str(text or "")[:2000]


def _time(text: Any) -> int:
    """UTC ns of an event's time, now where it has none that can be said."""
    try:
        moment = int(np.datetime64(str(text).rstrip("Z"), "ns").astype(np.int64))
    except (ValueError, OverflowError):
        moment = 0
    return moment if moment > 0 else time.time_ns()
