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

__all__ = ["ListenerInputs", "LocalInputs", "reads_listener", "topics_of"]

_PROTOCOL: Final = "mqtt"
_READERS: Final = ("files", "sql", "instrument")


def topics_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The topic filters that an MQTT connector's settings name."""
    return tuple(settings.get("topics", ("#",)))


def reads_listener(url: str) -> bool:
    """Whether an MQTT connector's ``url`` means the platform's own listener: ``mqtt://`` without a host, or ``mqtt://local``.

    >>> reads_listener("mqtt://"), reads_listener("mqtt://broker.example")
    (True, False)
    """
    return url.lower().rstrip("/") in ("mqtt:", "mqtt://local")


class LocalInputs:
    """`hulian.platform.edge.contract.Inputs` of a node without a listener for devices: connectors that read files (data,
    databases, descriptions of instruments) learn which ``directories`` they may read, those of foreign brokers where
    their sessions are kept."""

    def __init__(self, directory: Path, directories: Sequence[str] = ()) -> None:
        """``directory`` is where the sessions on foreign brokers are kept."""
        self._directory = directory
        self._directories = tuple(Path(readable) for readable in directories)

    def extras(self, plan: ConnectorPlan) -> Mapping[str, Any]:
        if plan.protocol in _READERS:
            return {"files.directories": self._directories}
        if plan.protocol == _PROTOCOL and not reads_listener(plan.url):
            return {"mqtt.state": self._directory / escape(plan.name)}
        return {}

    async def prepare(self, plan: ConnectorPlan) -> None:
        """Nothing has to be there before a connector starts."""

    async def taken(self, plan: ConnectorPlan, patience: float) -> bool:
        return True

    async def forget(self, plan: ConnectorPlan) -> None:
        if plan.protocol == _PROTOCOL:
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(self._directory / escape(plan.name), ignore_errors=True))


class ListenerInputs(LocalInputs):
    """The same with the platform's own MQTT listener: each connector reads its store through a consumer of its own."""

    def __init__(self, spine: Spine, directory: Path, directories: Sequence[str] = ()) -> None:
        super().__init__(directory, directories)
        self._spine = spine

    def _source(self, plan: ConnectorPlan) -> MqttSource:
        best_effort = bool(plan.settings.get("qos_0", True))
        return MqttSource(self._spine, plan.name, topics_of(plan.settings), best_effort=best_effort)

    def extras(self, plan: ConnectorPlan) -> Mapping[str, Any]:
        return {"mqtt.source": self._source(plan)} if _listens(plan) else super().extras(plan)

    async def prepare(self, plan: ConnectorPlan) -> None:
        if _listens(plan):
            await self._source(plan).declare()

    async def taken(self, plan: ConnectorPlan, patience: float) -> bool:
        return not _listens(plan) or await self._source(plan).taken(patience)

    async def forget(self, plan: ConnectorPlan) -> None:
        if _listens(plan):
            await self._source(plan).forget()
        await super().forget(plan)


def _listens(plan: ConnectorPlan) -> bool:
    return plan.protocol == _PROTOCOL and reads_listener(plan.url)
