"""The historian, asked over the spine: what `hulian.data.historian.contract` offers, from any process of the node."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from hulian.data.historian.contract import DEFAULT_LIMITS, Annotate, Correct, Limits, Request, Size
from hulian.data.ingest.errors import AnswerError
from hulian.data.ingest.ledger import LedgerRow
from hulian.data.ingest.wire import (
    CANCEL,
    GRANT,
    KIND,
    Ask,
    AskAnnotate,
    AskBackup,
    AskCorrect,
    AskInsert,
    AskQuery,
    AskSizes,
    pack_ask,
    unpack_batches,
    unpack_error,
)
from hulian.kernel.sample import Columns
from hulian.network.exchange.spine.connection import Message, Spine, status_of
from hulian.network.exchange.spine.errors import SpineUnavailableError
from hulian.network.exchange.spine.streams import Subjects

__all__ = ["QueryClient"]

_SLACK: Final = 15.0
_INSERT_ROWS: Final = 100_000


class QueryClient:
    """Asks the historian of ``organisation``. Errors are those of the historian, with their own classes and codes;
    `SpineUnavailableError` where nobody answers; `hulian.data.ingest.errors.BusyError` where too many ask."""

    def __init__(self, spine: Spine, organisation: str) -> None:
        self._spine = spine
        self._subjects = Subjects(organisation)

    async def query(self, request: Request, limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[pa.RecordBatch]:
        """The answer, chunk by chunk, as fast as they are taken. Closing the iterator ends the query where it runs."""
        inbox = self._spine.new_inbox("a") + "x"
        waiting: deque[Message] = deque()
        wake = asyncio.Event()

        def hear(subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
            waiting.append(Message("", reply.decode(), payload, headers))
            wake.set()

        number = await self._spine.attach(inbox, hear)
        back, ended = "", False
        try:
            await self._spine.publish(
                self._subjects.query_historian, pack_ask(AskQuery(request=request, limits=limits)), reply=inbox
            )
            while True:
                message = await self._next(waiting, wake, limits.seconds + _SLACK)
                kind = message.header(KIND)
                if kind == "begin":
                    back = message.reply
                elif kind == "data":
                    back = message.reply or back
                    for batch in unpack_batches(message.payload):
                        yield batch
                    await self._spine.publish(back, GRANT)
                else:
                    ended = True
                    _closing(message, kind)
                    return
        finally:
            await self._spine.detach(number)
            if not ended and back and self._spine.connected:
                self._spine.publish_soon(back, CANCEL)

    async def _next(self, waiting: deque[Message], wake: asyncio.Event, patience: float) -> Message:
        while not waiting:
            wake.clear()
            try:
                async with asyncio.timeout(min(patience, 1.0)):
                    await wake.wait()
            except TimeoutError:
                patience -= 1.0
                if not self._spine.connected:
                    raise AnswerError("the link to the spine broke while the historian answered") from None
                if patience <= 0:
                    raise SpineUnavailableError("the historian does not answer", place="query") from None
        return waiting.popleft()

    async def table(self, request: Request, limits: Limits = DEFAULT_LIMITS) -> pa.Table:
        """The whole answer as one table, schema metadata (``truncated``, ``resolution``) included."""
        batches = [batch async for batch in self.query(request, limits)]
        return pa.Table.from_batches(batches, batches[-1].schema) if batches else pa.table({})

    async def _ask(self, ask: Ask, columns: Sequence[Columns] = (), timeout: float = 60.0) -> Any:
        answer = await self._spine.request(self._subjects.query_historian, pack_ask(ask, columns), timeout)
        _closing(answer, answer.header(KIND))
        return msgspec.json.decode(answer.payload)

    async def ledger(self) -> list[LedgerRow]:
        """The account of every source."""
        answer = await self._spine.request(self._subjects.query_ledger, timeout=15.0)
        return msgspec.json.decode(answer.payload, type=list[LedgerRow])

    async def insert_history(self, columns: Sequence[Columns], token: str) -> None:
        """Samples from elsewhere, durable when it returns. The same ``token`` with the same columns again changes nothing."""
        for number, one in enumerate(columns):
            for start in range(0, len(one), _INSERT_ROWS):
                end = start + _INSERT_ROWS
                part = Columns(
                    one.storage, one.series[start:end], one.time[start:end], one.value[start:end], one.status[start:end]
                )
                await self._ask(AskInsert(token=f"{token}-{number}-{start}"), [part])

    async def correct(self, correction: Correct) -> None:
        """A person replaces values; the old ones stay readable."""
        await self._ask(AskCorrect(author=correction.author, reason=correction.reason), [correction.columns])

    async def annotate(self, annotation: Annotate) -> None:
        """A note at a time or over a span."""
        await self._ask(AskAnnotate(annotation=annotation))

    async def sizes(self) -> Mapping[str, Size]:
        """What each table holds and takes on disk."""
        return msgspec.convert(await self._ask(AskSizes()), dict[str, Size])

    async def backup(self, directory: str, timeout: float = 3600.0) -> Mapping[str, Any]:
        """A consistent copy of historian and ledger into ``directory`` of the historian's machine, between two blocks."""
        answer: dict[str, Any] = await self._ask(AskBackup(directory=directory), timeout=timeout)
        return answer


def _closing(message: Message, kind: str) -> None:
    """Raises what a closing message says, unless it says that all went well."""
    if kind == "error":
        raise unpack_error(message.payload)
    if status_of(message.headers) == 503:
        raise SpineUnavailableError("the historian is not running", hint="'hulian status' shows the components of this node")
    if kind != "end":
        raise AnswerError(f"an answer of an unknown kind '{kind}'")
