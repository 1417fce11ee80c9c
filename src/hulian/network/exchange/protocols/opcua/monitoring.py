"""What is asked of the server for one monitored value: how often it looks, what it keeps, which changes count.

A point's own option comes first, then its group's setting, then the connector's.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from hulian.network.exchange.protocols.opcua.config import BindingOptions, Group, OpcuaConfiguration

__all__ = ["Item", "create_request", "item_parameters", "lacks_filter"]

_QUEUED: Final = 5.0
"""Seconds of samples that the server is asked to keep where nobody says how many."""

_NO_DEADBAND: Final = frozenset(
    {
        StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadFilterNotAllowed,
        StatusCodes.BadMonitoredItemFilterInvalid,
        StatusCodes.BadDeadbandFilterInvalid,
    }
)


class Item(NamedTuple):
    """One value to be monitored: its place in the table is its client handle. ``plain``: without a deadband."""

    place: int
    node: ua.NodeId
    options: BindingOptions
    plain: bool = False


def lacks_filter(status: int) -> bool:
    """Whether the server refuses an item for its deadband alone."""
    return status in _NO_DEADBAND


def _deadband(options: BindingOptions, group: Group, configuration: OpcuaConfiguration) -> tuple[int, float] | None:
    """(type, value) of the filter (OPC 10000-4, table 132): 1 absolute, 2 percent of EURange; the nearest setting counts."""
    for level in (options, group, configuration):
        percent = getattr(level, "deadband_percent", None)
        if percent is not None:
            return (2, percent) if percent else None
        if level.deadband is not None:
            return (1, level.deadband) if level.deadband else None
    return None


def item_parameters(
    item: Item, group: Group, configuration: OpcuaConfiguration, interval: float, longest_queue: int
) -> ua.MonitoringParameters:
    """The monitoring parameters of ``item`` in a subscription that publishes each ``interval`` seconds."""
    options = item.options
    sampling = next(level.sampling_interval for level in (options, group, configuration) if level.sampling_interval is not None)
    queue = next(level.queue_size for level in (options, group, configuration) if level.queue_size is not None)
    if not queue:
        queue = max(10, math.ceil(max(_QUEUED, 2 * interval) / max(sampling, 0.02)))
    parameters = ua.MonitoringParameters(
        ClientHandle=item.place,
        SamplingInterval=sampling * 1000,
        QueueSize=min(queue, longest_queue) if longest_queue else queue,
        DiscardOldest=(options.discard or group.discard) == "oldest",
    )
    if not item.plain and (deadband := _deadband(options, group, configuration)):
        parameters.Filter = ua.DataChangeFilter(
            Trigger=ua.DataChangeTrigger.StatusValue, DeadbandType=deadband[0], DeadbandValue=deadband[1]
        )
    return parameters


def create_request(item: Item, parameters: ua.MonitoringParameters) -> ua.MonitoredItemCreateRequest:
    """Reports the value of ``item``'s node with ``parameters``."""
    target = ua.ReadValueId(NodeId=item.node, AttributeId=AttributeIds.Value, IndexRange=item.options.index_range)
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=target, MonitoringMode=ua.MonitoringMode.Reporting, RequestedParameters=parameters
    )
