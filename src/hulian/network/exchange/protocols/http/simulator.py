"""A sender that pushes to a listener, as a gateway would: it tries again until it is heard."""

from __future__ import annotations

import base64
import socket
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Self

import anyio
import httpx
import msgspec
from anyio.abc import TaskGroup

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.network.exchange.protocols.http.config import HttpConfiguration

__all__ = ["DEFAULT_BINDINGS", "Simulator"]

DEFAULT_BINDINGS = (
    Binding(series=1, address="json:sim:pressure", storage=StorageClass.DOUBLE),
    Binding(series=2, address="json:sim:count", storage=StorageClass.INTEGER, kind=Kind.STEP),
    Binding(series=3, address="json:sim:running", storage=StorageClass.BOOLEAN, kind=Kind.STEP),
    Binding(series=4, address="json:sim:mode", storage=StorageClass.TEXT, kind=Kind.STEP),
    Binding(series=5, address="json:sim:blob", storage=StorageClass.BYTES, kind=Kind.STEP),
    Binding(series=6, address="json:sim:profile", storage=StorageClass.STRUCTURE, kind=Kind.STEP),
)
"""One point of each storage class."""

_FIRST: dict[StorageClass, Any] = {
    StorageClass.DOUBLE: 1.5,
    StorageClass.INTEGER: 1,
    StorageClass.BOOLEAN: False,
    StorageClass.TEXT: "idle",
    StorageClass.BYTES: b"\x01",
    StorageClass.STRUCTURE: [1.0, 2.0],
}
_BEAT = 0.1


class Simulator:
    """``async with Simulator() as sim:`` pushes to ``sim.url``; `set` pushes a value, `stop` silences the sender."""

    logins: ClassVar[bool] = False
    browses: ClassVar[bool] = False
    tcp: ClassVar[bool] = False

    def __init__(self, bindings: Iterable[Binding] = DEFAULT_BINDINGS) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http-push://127.0.0.1:{self.port}"
        self.bindings: Sequence[Binding] = tuple(bindings)
        self.bad_binding = Binding(series=99, address="json:nowhere", storage=StorageClass.DOUBLE)
        self.configuration = HttpConfiguration(silent_after=1.0, bad_after=1.0, reconnect_first=0.1, reconnect_most=0.5)
        self.credentials = Credentials(password="simulated")  # noqa: S106 - of a listener that lives for a test
        self.extras: Mapping[str, Any] = {}
        self._values = {binding.address.rpartition(":")[2]: _FIRST[binding.storage] for binding in self.bindings}
        self._queue: deque[dict[str, Any]] = deque()
        self._sent = anyio.Event()
        self._talking = False
        self._heard = False
        self._time = 0
        self._group: TaskGroup | None = None

    async def set(self, address: str, value: Any) -> None:
        """Pushes one value."""
        name = address.rpartition(":")[2]
        self._values[name] = value
        self._queue.append(self._sample({name: value}))

    async def start(self) -> None:
        """The sender is there, and pushes what it has."""
        self._heard, self._talking = False, True

    async def stop(self) -> None:
        """The sender falls silent."""
        self._talking = False

    def _sample(self, values: Mapping[str, Any]) -> dict[str, Any]:
        self._time = max(time.time_ns(), self._time + 1)
        plain = {name: base64.b64encode(one).decode() if isinstance(one, bytes) else one for name, one in values.items()}
        return {"ts": self._time, **plain}

    async def _talk(self) -> None:
        headers = {"Authorization": f"Bearer {self.credentials.password}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=5.0) as client:
            while True:
                if self._talking:
                    await self._beat(client)
                await anyio.sleep(_BEAT if not self._queue else 0.0)

    async def _beat(self, client: httpx.AsyncClient) -> None:
        if not self._heard:
            # A listener that begins anew hears every value, as after the birth of a device.
            self._queue.clear()
            self._queue.append(self._sample(self._values))
        body = msgspec.json.encode(list(self._queue)) if self._queue else b""
        count = len(self._queue)
        try:
            answer = await client.post("/push/sim", content=body)
        except httpx.HTTPError:
            self._heard = False
            return
        self._heard = answer.is_success
        if self._heard:
            for _ in range(count):
                self._queue.popleft()

    async def __aenter__(self) -> Self:
        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._talk)
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._group is not None:
            self._group.cancel_scope.cancel()
            await self._group.__aexit__(None, None, None)
