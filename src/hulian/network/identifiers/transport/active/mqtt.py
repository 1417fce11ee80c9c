"""MQTT for carriers: the node as a client of a broker, the platform's own or another.

A carrier asks on a topic of its own and is answered on another; what they carry is the same message as on every other way.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import paho.mqtt.client as paho
import structlog
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus
from paho.mqtt.enums import CallbackAPIVersion

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.transport.active.tls import Ask
from hulian.network.identifiers.transport.errors import ListenError
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import decode, encode

__all__ = ["ASKS", "MqttBridge"]

ASKS: Final = "hulian/active/+/ask"
UNDER_WAY: Final = 256
"""Questions that are being answered; beyond it they are dropped, and carriers ask again."""

_LONGEST: Final = 65_536
_PATIENCE: Final = 10.0
_log = structlog.get_logger(__name__)


class MqttBridge:
    """Serves ``ask`` over the broker at ``url`` (``mqtt://host[:port]`` or ``mqtts://``).

    Any client of the broker may write on any of these topics unless the broker forbids it: who a carrier is, is proved in the
    message. The connection is opened again when it ends.
    """

    def __init__(self, ask: Ask, url: str, user: str = "", password: str = "", ca: str = "") -> None:
        self._ask = ask
        self._url, self._user, self._password, self._ca = url, user, password, ca
        self._under_way = 0
        self.dropped = 0

    def __repr__(self) -> str:
        return f"MqttBridge({self._url!r})"

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled; started once the topics are subscribed. Raises `ListenError`, `ConfigurationError`."""
        host, port, tls = _place(self._url)
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as group:
            subscribed = asyncio.Event()
            client = self._client(loop, group, subscribed, tls=tls)
            try:
                await anyio.to_thread.run_sync(client.connect, host, port, 30)
            except OSError as error:
                raise ListenError(f"the broker cannot be reached: {error}", place=self._url) from error
            client.loop_start()
            try:
                with anyio.move_on_after(_PATIENCE):
                    await subscribed.wait()
                if not subscribed.is_set():
                    raise ListenError(f"the broker does not let this node hear {ASKS}", place=self._url)
                task_status.started()
                await anyio.sleep_forever()
            finally:
                client.disconnect()
                # Its thread ends by itself; to wait for it here would hold the event loop up.
                threading.Thread(target=client.loop_stop, daemon=True).start()

    def _client(
        self, loop: asyncio.AbstractEventLoop, group: TaskGroup, subscribed: asyncio.Event, *, tls: bool
    ) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        context = contextvars.copy_context()  # the client's thread has none of ours, and tasks begin with one
        if self._user:
            client.username_pw_set(self._user, self._password)
        if tls:
            if self._ca and not Path(self._ca).exists():
                raise ConfigurationError("there is no such file", place="identifiers.active.mqtt_ca")
            client.tls_set(ca_certs=self._ca or None)

        def connected(made: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                _log.warning("the broker refuses this node", reason=str(reason))
            else:
                made.subscribe(ASKS, qos=1)

        def acknowledged(_client: paho.Client, _data: Any, _number: int, reasons: Any, _properties: Any) -> None:
            if not any(reason.is_failure for reason in reasons):
                loop.call_soon_threadsafe(subscribed.set)

        def received(made: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
            found = made, group, message.topic, bytes(message.payload)
            loop.call_soon_threadsafe(self._received, *found, context=context)

        client.on_connect, client.on_subscribe, client.on_message = connected, acknowledged, received
        return client

    def _received(self, client: paho.Client, group: TaskGroup, topic: str, payload: bytes) -> None:
        if self._under_way >= UNDER_WAY or len(payload) > _LONGEST:
            self.dropped += 1
            return
        self._under_way += 1
        group.start_soon(self._answered, client, topic, payload)

    async def _answered(self, client: paho.Client, topic: str, payload: bytes) -> None:
        try:
            try:
                asked = decode(payload)
            except WireError:
                self.dropped += 1
                return
            name = topic.split("/")[2]
            answer = await self._ask(asked, Asker(address=f"mqtt:{name}"[:255]))
            client.publish(f"hulian/active/{name}/answer", encode(answer), qos=1)
        finally:
            self._under_way -= 1


def _place(url: str) -> tuple[str, int, bool]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("mqtt", "mqtts"):
        hint = "write mqtt://host:1883, or mqtts://host:8883 with TLS"
        raise ConfigurationError("no address of a broker", place="identifiers.active.mqtt", hint=hint)
    tls = parts.scheme == "mqtts"
    return host, port or (8883 if tls else 1883), tls
