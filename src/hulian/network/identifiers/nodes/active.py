"""Active carriers at a node: the desk's way to the node's records, and everything that serves carriers, as one task."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import anyio
import msgspec
import structlog
from anyio.abc import TaskStatus

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.active.desk import OPERATIONS, Desk
from hulian.network.identifiers.active.errors import RegistrationError
from hulian.network.identifiers.active.outbox import Outbox, ReportSink
from hulian.network.identifiers.chain.attend import Attend
from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.configuration import ActiveConfiguration
from hulian.network.identifiers.nodes.tiers import Inside, outside
from hulian.network.identifiers.transport.active.coap import CoapListener
from hulian.network.identifiers.transport.active.mqtt import MqttBridge
from hulian.network.identifiers.transport.active.tls import TlsListener
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.wire.bodies import Body, Failure, ResolveRequest, Values, read_answer, request
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import Reference, Value, unpack_values

__all__ = ["ActiveService", "NodeRecords"]

_LONGEST: Final = 300.0
_log = structlog.get_logger(__name__)


class _Listener(Protocol):
    async def run(self, *, task_status: TaskStatus[None]) -> None: ...


class NodeRecords:
    """`hulian.network.identifiers.active.desk.Records`: asks the node itself, as its administrator ``who``, like any other."""

    def __init__(self, inside: Inside, who: Reference) -> None:
        self._inside = inside
        self._asker = Asker(address="", verified=True, who=who)

    async def read(self, identifier: str) -> list[Value] | None:
        """See `Records`."""
        answer = await self._asked(OpCode.RESOLVE, ResolveRequest(identifier), 0)
        if answer.response_code == ResponseCode.HANDLE_NOT_FOUND:
            return None
        body = self._checked(answer, identifier)
        return list(unpack_values(body[4 + len(identifier.encode()) :]))

    async def put(self, identifier: str, values: Sequence[Value]) -> None:
        """See `Records`."""
        answer = await self._asked(OpCode.CREATE, Values(identifier, tuple(values)), OpFlag.OVERWRITE.value)
        self._checked(answer, identifier)

    async def _asked(self, op_code: OpCode, body: Body, flags: int) -> Message:
        asked = request(op_code, body, request_id=0, expiration=int(time.time()) + 60, flags=flags)
        return await self._inside.answering.answer(asked, self._asker)

    @staticmethod
    def _checked(answer: Message, identifier: str) -> bytes:
        if answer.response_code == ResponseCode.SUCCESS:
            return answer.body
        try:
            body, _ = read_answer(answer)
        except WireError:
            body = Failure("")
        said = body.message if isinstance(body, Failure) and body.message else response_text(answer.response_code)
        raise RegistrationError(f"{identifier}: {said} (response code {answer.response_code})")


class ActiveService:
    """Serves carriers beside a node: TCP with TLS, CoAP and MQTT, as ``settings`` say; carries reports to ``sink``; keeps their
    records. A listener that cannot start is tried again and takes nothing else down.

    ``certificate`` gives the files of the certificate that carriers verify; ``password`` is that of the MQTT broker. Without a
    ``sink`` reports wait, up to the bound.
    """

    def __init__(
        self,
        settings: ActiveConfiguration,
        desk: Desk,
        inside: Inside,
        follow: Follow | None,
        certificate: Callable[[], tuple[Path, Path]],
        sink: ReportSink | None = None,
        *,
        password: str = "",
    ) -> None:
        self.desk = desk
        self._outbox = Outbox(desk, sink) if sink is not None else None
        self._link: Link = outside(_attending(inside, desk, follow), serves=frozenset(OPERATIONS))
        self.tls = TlsListener(self._asked, settings.host, settings.port, certificate)
        self.coap = CoapListener(self._asked, settings.host, settings.coap_port, Budget(settings.stranger_bytes))
        self.mqtt = MqttBridge(self._asked, settings.mqtt, settings.mqtt_user, password, settings.mqtt_ca)
        self._listeners: list[tuple[str, _Listener]] = []
        self._serving = 0
        if settings.port:
            self._listeners.append(("TLS", self.tls))
        if settings.coap_port:
            self._listeners.append(("CoAP", self.coap))
        if settings.mqtt:
            self._listeners.append(("MQTT", self.mqtt))

    @property
    def ready(self) -> bool:
        """Whether every listener listens now."""
        return self._serving == len(self._listeners)

    async def run(self) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.desk.upkeep)
            if self._outbox is not None:
                group.start_soon(self._outbox.run)
            for name, listener in self._listeners:
                group.start_soon(self._kept, name, listener)

    async def _kept(self, name: str, listener: _Listener) -> None:
        pause = 2.0
        while True:
            serves = 0
            try:
                async with anyio.create_task_group() as group:
                    await group.start(listener.run)
                    serves, pause = 1, 2.0
                    self._serving += serves
                    _log.info(f"active carriers are served over {name}", port=getattr(listener, "port", 0))
            except* (HulianError, OSError) as errors:
                _log.warning(f"active carriers are not served over {name}", reason=str(errors.exceptions[0]), again_in=pause)
            finally:
                self._serving -= serves
            await anyio.sleep(pause)
            pause = min(pause * 2, _LONGEST)

    async def _asked(self, asked: Message, asker: Asker) -> Message:
        try:
            return await self._link.answer(asked, asker)
        except Exception:  # noqa: BLE001 - one question that cannot be answered ends no listener
            _log.exception("a carrier was not answered", opcode=asked.op_code, asker=asker.address)
            return reply(asked, ResponseCode.ERROR, "the server failed; its log has the cause")


def _attending(inside: Inside, desk: Desk, follow: Follow | None) -> Inside:
    return msgspec.structs.replace(inside, answering=Attend(desk, inside.answering, follow))
