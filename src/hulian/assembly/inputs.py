"""The platform's own MQTT listener, for the connectors that read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.mqtt_input import MqttSource
from hulian.platform.edge.contract import ConnectorPlan

__all__ = ["ListenerInputs", "topics_of"]

_PROTOCOL: Final = "mqtt"
_READERS: Final = ("files", "sql")


def topics_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The topic filters that an MQTT connector's settings name."""
    return tuple(settings.get("topics", ("#",)))


class ListenerInputs:
    """`hulian.platform.edge.contract.Inputs`: each MQTT connector reads the listener's store through a consumer of its own;
    connectors of files and of databases in files learn which ``directories`` they may read."""

    def __init__(self, spine: Spine, directories: Sequence[str] = ()) -> None:
        self._spine = spine
        self._directories = tuple(Path(directory) for directory in directories)

    def _source(self, plan: ConnectorPlan) -> MqttSource:
        best_effort = bool(plan.settings.get("qos_0", True))
        return MqttSource(self._spine, plan.name, topics_of(plan.settings), best_effort=best_effort)

    def extras(self, plan: ConnectorPlan) -> Mapping[str, Any]:
        if plan.protocol in _READERS:
            return {"files.directories": self._directories}
        return {"mqtt.source": self._source(plan)} if plan.protocol == _PROTOCOL else {}

    async def prepare(self, plan: ConnectorPlan) -> None:
        if plan.protocol == _PROTOCOL:
            await self._source(plan).declare()

    async def taken(self, plan: ConnectorPlan, patience: float) -> bool:
        return plan.protocol != _PROTOCOL or await self._source(plan).taken(patience)

    async def forget(self, plan: ConnectorPlan) -> None:
        if plan.protocol == _PROTOCOL:
            await self._source(plan).forget()
