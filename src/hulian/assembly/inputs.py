"""What MQTT connectors get: the platform's own listener, or a place to keep their session on a foreign broker."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio.to_thread

from hulian.kernel.identifier import escape
from hulian.network.exchange.spine.connection import Spine
from hulian.network.exchange.spine.mqtt_input import MqttSource
from hulian.platform.edge.contract import ConnectorPlan

__all__ = ["ListenerInputs", "reads_listener", "topics_of"]

_PROTOCOL: Final = "mqtt"
_READERS: Final = ("files", "sql")


def topics_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The topic filters that an MQTT connector's settings name."""
    return tuple(settings.get("topics", ("#",)))


def reads_listener(url: str) -> bool:
    """Whether an MQTT connector's ``url`` means the platform's own listener: ``mqtt://`` without a host, or ``mqtt://local``.

    >>> reads_listener("mqtt://"), reads_listener("mqtt://broker.example")
    (True, False)
    """
    return url.lower().rstrip("/") in ("mqtt:", "mqtt://local")


class ListenerInputs:
    """`hulian.platform.edge.contract.Inputs`: each MQTT connector reads the listener's store through a consumer of its own;
    connectors of files and of databases in files learn which ``directories`` they may read."""

    def __init__(self, spine: Spine, directory: Path, directories: Sequence[str] = ()) -> None:
        """``directory`` is where the sessions on foreign brokers are kept."""
        self._spine = spine
        self._directory = directory
        self._directories = tuple(Path(readable) for readable in directories)

    def _source(self, plan: ConnectorPlan) -> MqttSource:
        best_effort = bool(plan.settings.get("qos_0", True))
        return MqttSource(self._spine, plan.name, topics_of(plan.settings), best_effort=best_effort)

    def extras(self, plan: ConnectorPlan) -> Mapping[str, Any]:
        if plan.protocol in _READERS:
            return {"files.directories": self._directories}
        if plan.protocol != _PROTOCOL:
            return {}
        if reads_listener(plan.url):
            return {"mqtt.source": self._source(plan)}
        return {"mqtt.state": self._directory / escape(plan.name)}

    async def prepare(self, plan: ConnectorPlan) -> None:
        if plan.protocol == _PROTOCOL and reads_listener(plan.url):
            await self._source(plan).declare()

    async def taken(self, plan: ConnectorPlan, patience: float) -> bool:
        if plan.protocol != _PROTOCOL or not reads_listener(plan.url):
            return True
        return await self._source(plan).taken(patience)

    async def forget(self, plan: ConnectorPlan) -> None:
        if plan.protocol != _PROTOCOL:
            return
        if reads_listener(plan.url):
            await self._source(plan).forget()
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(self._directory / escape(plan.name), ignore_errors=True))
