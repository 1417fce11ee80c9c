"""Answers that are sent while they are made: a response over an async iterator of bytes.

The first chunk is made before the headers leave, so that an error in it is answered as an error; the iterator is closed
at once when the client goes away, and no chunk is made before the one before it went to the socket.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import anyio
import structlog
from litestar import Response

from hulian.kernel.errors import HulianError

__all__ = ["Streaming"]

_log = structlog.get_logger("hulian.api")


class Streaming(Response[bytes]):
    """A response that sends the chunks of ``source``."""

    def __init__(
        self, source: AsyncGenerator[bytes, None], media_type: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(b"", media_type=media_type, headers=dict(headers or {}))
        self._source = source
        self._plain = {"content-type": media_type, **(headers or {})}
        self._first: bytes | None = None
        self._ended = False

    async def prepare(self) -> Streaming:
        """Makes the first chunk; an error of it is raised here, where it still can be answered."""
        try:
            self._first = await anext(self._source)
        except StopAsyncIteration:
            self._ended = True
        return self

    def to_asgi_response(self, app: Any, request: Any, **_: Any) -> Any:
        """What Litestar calls to send the answer."""
        return self._answer

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self._plain.items()]
        async with aclosing(self._source), anyio.create_task_group() as group:
            group.start_soon(_leave, receive, group.cancel_scope)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send(send)
            group.cancel_scope.cancel()

    async def _send(self, send: Any) -> None:
        try:
            if self._first is not None:
                await send({"type": "http.response.body", "body": self._first, "more_body": True})
            if not self._ended:
                async for chunk in self._source:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except HulianError as error:
            # The status line is long gone. Not sending the last chunk makes the client see a broken transfer, never a
            # short file that looks complete.
            _log.warning("an answer broke off", error=str(error))
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _leave(receive: Any, scope: anyio.CancelScope) -> None:
    """Ends the answer when the client goes away."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            scope.cancel()
            return
