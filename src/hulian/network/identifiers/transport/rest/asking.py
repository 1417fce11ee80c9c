"""Requests as messages of the protocol: asked of the node's own chain, and read as its clients read them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import DefectError
from hulian.network.identifiers.wire.bodies import Body, Failure, read_answer, request
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Part", "Put", "asked"]

_LIFE: Final = 60
_log = structlog.get_logger(__name__)

Part = Callable[[Body], Awaitable[None]]
"""Takes one of several parts of an answer."""


class Put:
    """One answer of the chain: its response code, its body where it is a success, its words where it is not."""

    __slots__ = ("body", "code", "message")

    def __init__(self, code: int, body: Body, message: str) -> None:
        self.code, self.body, self.message = code, body, message

    @property
    def done(self) -> bool:
        return self.code == ResponseCode.SUCCESS


async def asked(
    node: Node,
    code: OpCode,
    body: Body,
    *,
    who: Reference | None,
    source: str,
    flags: OpFlag | int = 0,
    part: Part | None = None,
) -> Put:
    """What the chain answers to ``who`` at ``source``. Raises `EncodeError` for what no message carries, and `DefectError`."""
    message = request(code, body, request_id=0, expiration=int(time.time()) + _LIFE, flags=int(flags))

    async def another(answer: Message) -> None:
        if part is not None:
            await part(read_answer(answer)[0])

    began = time.monotonic()
    asker = Asker(address=source, verified=True, who=who, part=another if part else None)
    try:
        answer = await node.answering.answer(message, asker)
    except Exception as error:
        _log.exception("a request was not answered", opcode=code.value, asker=source)
        raise DefectError("the server failed; its log has the cause") from error
    if node.statistics is not None:
        node.statistics.meter.tally.one(source, answer.op_code, answer.response_code, time.monotonic() - began)
    if answer.response_code == ResponseCode.AUTHENTICATION_NEEDED:
        return Put(answer.response_code, Failure(""), "")
    found, _ = read_answer(answer)
    text = (found.message or "") if isinstance(found, Failure) else ""
    return Put(answer.response_code, found, text)
