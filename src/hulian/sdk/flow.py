"""Calls without a socket: each is a generator that yields requests and is sent replies.

One definition serves both clients. `blocking` makes a method of it that drives it over a synchronous connection, `awaiting`
one that drives it over an asynchronous one; names, types and documentation stay.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.sdk.errors import BrokenAnswerError

__all__ = ["Flow", "Reply", "Request", "awaiting", "blocking", "read"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One HTTP request to send. ``path`` stands below ``/api/v1``; ``body`` is sent as JSON, ``content`` as it is;
    ``seconds`` is how long the answer may take."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    content: bytes | None = None
    accept: str = "application/json"
    seconds: float = 30.0


@dataclass(frozen=True)
class Reply:
    """A reply whose status says that it went well."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Flow = Generator[Request, Reply, T]


class BlockingSender(Protocol):
    """Sends one request and waits for its reply."""

    def _send(self, request: Request) -> Reply: ...


class AwaitingSender(Protocol):
    """The same, to be awaited."""

    async def _send(self, request: Request) -> Reply: ...


def blocking(flow: Callable[P, Flow[T]]) -> Callable[Concatenate[Any, P], T]:
    """``flow`` as a method of a `BlockingSender`."""

    @functools.wraps(flow)
    def method(self: BlockingSender, /, *args: P.args, **kwargs: P.kwargs) -> T:
        running = flow(*args, **kwargs)
        try:
            request = next(running)
            while True:
                request = running.send(self._send(request))
        except StopIteration as end:
            result: T = end.value
            return result

    return method


def awaiting(flow: Callable[P, Flow[T]]) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    """``flow`` as a method of an `AwaitingSender`."""

    @functools.wraps(flow)
    async def method(self: AwaitingSender, /, *args: P.args, **kwargs: P.kwargs) -> T:
        running = flow(*args, **kwargs)
        try:
            request = next(running)
            while True:
                request = running.send(await self._send(request))
        except StopIteration as end:
            result: T = end.value
            return result

    return method


def read(reply: Reply, kind: type[T]) -> T:
    """The JSON body of ``reply`` as ``kind``. Raises `BrokenAnswerError`."""
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except UNREADABLE as error:
        raise BrokenAnswerError(f"the answer is not what it should be: {error}") from error
