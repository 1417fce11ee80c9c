"""A scripted OPC UA server: a real secure channel (policy None), real sessions, and answers that a test or benchmark writes.

Native speed by preparation: a notification is encoded once and sent with its numbers patched. A test replaces the answer to
one service to make the server lie: ``server.answers["PublishRequest"] = my_answer``.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

REQUESTS = {
    getattr(ua, name)().TypeId.Identifier: getattr(ua, name)
    for name in dir(ua)
    if name.endswith("Request")
    and hasattr(getattr(ua, name), "__dataclass_fields__")
    and hasattr(getattr(ua, name)(), "TypeId")
}
NAMESPACES = ["http://opcfoundation.org/UA/", "urn:replayer:application", "urn:replayer"]
NUMBERS = {
    ua.ObjectIds.Server_NamespaceArray: ua.Variant(NAMESPACES, ua.VariantType.String, is_array=True),
    ua.ObjectIds.Server_ServerStatus_State: ua.Variant(0, ua.VariantType.Int32),
    ua.ObjectIds.Server_ServiceLevel: ua.Variant(255, ua.VariantType.Byte),
}


class Fault(Exception):
    """Answered as a ServiceFault with this status."""

    def __init__(self, code: int) -> None:
        super().__init__(hex(code))
        self.code = code


def publish_template(items: bytes, count: int) -> tuple[bytearray, dict[str, int]]:
    """A PublishResponse with ``items`` in a DataChangeNotification, and where its numbers stand."""
    response = ua.PublishResponse()
    response.ResponseHeader.RequestHandle = 0x11111111
    response.ResponseHeader.Timestamp = datetime.now(UTC)
    response.Parameters.SubscriptionId = 0x22222222
    message = response.Parameters.NotificationMessage
    message.SequenceNumber, message.PublishTime = 0x33333333, datetime.now(UTC)
    message.NotificationData = [ua.DataChangeNotification()]
    empty = bytes(struct_to_binary(response))
    place = empty.index(struct.pack("<ii", 8, 0))
    body = bytearray(empty[:place] + struct.pack("<ii", len(items) + 8, count) + items + empty[place + 8 :])
    places = {
        name: body.index(struct.pack("<I", mark))
        for name, mark in (("handle", 0x11111111), ("subscription", 0x22222222), ("sequence", 0x33333333))
    }
    return body, places


class Link:
    """One client's connection."""

    def __init__(self, server: Replayer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.sequence = 0
        self.waiting: deque[tuple[int, Any]] = deque()
        """Publish requests that are not answered yet: (request id, request)."""
        self.chunk = 1 << 20

    async def serve(self) -> None:
        try:
            while True:
                head = await self.reader.readexactly(8)
                body = await self.reader.readexactly(struct.unpack_from("<I", head, 4)[0] - 8)
                await self._frame(head[:3], body)
                await self.writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, BrokenPipeError):
            pass
        finally:
            self.server.links.discard(self)
            self.writer.close()

    async def _frame(self, kind: bytes, body: bytes) -> None:
        if kind == b"HEL":
            self.chunk = min(struct.unpack_from("<I", body, 4)[0], self.server.chunk)
            acknowledge = struct.pack("<5I", 0, 65536, self.chunk, 0, 0)
            self.writer.write(b"ACKF" + struct.pack("<I", 8 + len(acknowledge)) + acknowledge)
        elif kind == b"OPN":
            buffer = Buffer(body)
            buffer.read(4)
            struct_from_binary(ua.AsymmetricAlgorithmHeader, buffer)
            _, request_id = struct.unpack("<II", buffer.read(8))
            request = struct_from_binary(ua.OpenSecureChannelRequest, buffer)
            response = ua.OpenSecureChannelResponse()
            response.ResponseHeader.RequestHandle = request.RequestHeader.RequestHandle
            token = response.Parameters.SecurityToken
            token.ChannelId, token.TokenId, token.RevisedLifetime = 1, 1, 3_600_000
            token.CreatedAt = datetime.now(UTC)
            response.Parameters.ServerNonce = b""
            security = ua.AsymmetricAlgorithmHeader()
            security.SecurityPolicyURI = "http://opcfoundation.org/UA/SecurityPolicy#None"
            self.sequence += 1
            rest = bytes(struct_to_binary(security)) + struct.pack("<II", self.sequence, request_id)
            rest += bytes(struct_to_binary(response))
            self.writer.write(b"OPNF" + struct.pack("<II", 12 + len(rest), 1) + rest)
        elif kind == b"MSG":
            _, _, _, request_id = struct.unpack_from("<4I", body)
            await self._request(request_id, body[16:])
        elif kind == b"CLO":
            self.writer.close()

    async def _request(self, request_id: int, body: bytes) -> None:
        type_id = nodeid_from_binary(Buffer(body)).Identifier
        kind = REQUESTS[type_id]
        request = struct_from_binary(kind, Buffer(body))
        answer = self.server.answers.get(kind.__name__) or getattr(self.server, kind.__name__, None)
        self.server.seen.append(kind.__name__)
        try:
            if answer is None:
                raise Fault(ua.StatusCodes.BadServiceUnsupported)
            response = answer(self, request_id, request)
            if asyncio.iscoroutine(response):
                response = await response
        except Fault as fault:
            response = ua.ServiceFault()
            response.ResponseHeader.ServiceResult = ua.StatusCode(fault.code)
        if response is not None:
            self.respond(request_id, request, response)

    def respond(self, request_id: int, request: Any, response: Any) -> None:
        response.ResponseHeader.RequestHandle = request.RequestHeader.RequestHandle
        response.ResponseHeader.Timestamp = datetime.now(UTC)
        self.send(request_id, bytes(struct_to_binary(response)))

    def send(self, request_id: int, body: bytes | bytearray) -> None:
        """One message, cut into chunks of the agreed size."""
        size = self.chunk - 24
        for begin in range(0, len(body), size):
            part = body[begin : begin + size]
            self.sequence += 1
            final = b"F" if begin + size >= len(body) else b"C"
            self.writer.write(
                b"MSG" + final + struct.pack("<5I", 24 + len(part), 1, 1, self.sequence, request_id) + bytes(part)
            )


class Replayer:
    """``async with Replayer() as server``: ``server.url``; ``await server.publish(items, count)`` sends a notification."""

    def __init__(self, *, port: int = 0, chunk: int = 1 << 20) -> None:
        self.port, self.chunk = port, chunk
        self.links: set[Link] = set()
        self.seen: list[str] = []
        self.answers: dict[str, Callable[[Link, int, Any], Any]] = {}
        self.values: dict[str, ua.DataValue] = {}
        """What a read of a node id (in its text form) gives, besides the server's own nodes."""
        self.subscription = 100
        self.created = 0
        self.sequence: dict[int, int] = {}
        self.unread: dict[tuple[int, int], Any] = {}
        self.handles: dict[str, int] = {}
        """The client handle of each monitored node."""
        self.items: list[Any] = []
        self._wake = asyncio.Event()

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/replayer"

    async def __aenter__(self) -> Replayer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=1 << 22)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, reader, writer)
        self.links.add(link)
        await link.serve()

    def cut(self) -> None:
        """Every line breaks, without a word."""
        for link in list(self.links):
            link.writer.transport.abort()

    # -- services, by the name of their request

    def GetEndpointsRequest(self, link: Link, number: int, request: Any) -> Any:
        response = ua.GetEndpointsResponse()
        response.Endpoints = [self._endpoint()]
        return response

    def _endpoint(self) -> Any:
        endpoint = ua.EndpointDescription()
        endpoint.EndpointUrl = self.url
        endpoint.SecurityMode = ua.MessageSecurityMode.None_
        endpoint.SecurityPolicyUri = "http://opcfoundation.org/UA/SecurityPolicy#None"
        endpoint.TransportProfileUri = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
        endpoint.UserIdentityTokens = [ua.UserTokenPolicy(PolicyId="anonymous", TokenType=ua.UserTokenType.Anonymous)]
        endpoint.Server.ApplicationUri = NAMESPACES[1]
        return endpoint

    def CreateSessionRequest(self, link: Link, number: int, request: Any) -> Any:
        response = ua.CreateSessionResponse()
        self.created += 1
        response.Parameters.SessionId = ua.NodeId(self.created, 1)
        response.Parameters.AuthenticationToken = ua.NodeId(1000 + self.created, 1)
        response.Parameters.RevisedSessionTimeout = 60_000.0
        response.Parameters.ServerNonce = b"\1" * 32
        response.Parameters.ServerEndpoints = [self._endpoint()]
        return response

    def ActivateSessionRequest(self, link: Link, number: int, request: Any) -> Any:
        response = ua.ActivateSessionResponse()
        response.Parameters.ServerNonce = b"\2" * 32
        return response

    def CloseSessionRequest(self, link: Link, number: int, request: Any) -> Any:
        return ua.CloseSessionResponse()

    def ReadRequest(self, link: Link, number: int, request: Any) -> Any:
        response = ua.ReadResponse()
        for item in request.Parameters.NodesToRead:
            node = item.NodeId
            if node.to_string() in self.values:
                response.Results.append(self.values[node.to_string()])
            elif node.NamespaceIndex == 0 and node.Identifier in NUMBERS:
                response.Results.append(ua.DataValue(NUMBERS[node.Identifier]))
            else:
                nothing = ua.DataValue()
                nothing.StatusCode = ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown)
                response.Results.append(nothing)
        return response

    def CreateSubscriptionRequest(self, link: Link, number: int, request: Any) -> Any:
        response = ua.CreateSubscriptionResponse()
        self.subscription += 1
        asked = request.Parameters
        response.Parameters.SubscriptionId = self.subscription
        response.Parameters.RevisedPublishingInterval = asked.RequestedPublishingInterval
        response.Parameters.RevisedLifetimeCount = asked.RequestedLifetimeCount
        response.Parameters.RevisedMaxKeepAliveCount = asked.RequestedMaxKeepAliveCount
        self.sequence[self.subscription] = 0
        return response

    def CreateMonitoredItemsRequest(self, link: Link, number: int, request: Any) -> Any:
        response = ua.CreateMonitoredItemsResponse()
        for item in request.Parameters.ItemsToCreate:
            self.items.append(item)
            self.handles[item.ItemToMonitor.NodeId.to_string()] = item.RequestedParameters.ClientHandle
            result = ua.MonitoredItemCreateResult()
            result.MonitoredItemId = len(self.items)
            result.RevisedSamplingInterval = item.RequestedParameters.SamplingInterval
            result.RevisedQueueSize = item.RequestedParameters.QueueSize
            response.Results.append(result)
        return response

    def DeleteMonitoredItemsRequest(self, link: Link, number: int, request: Any) -> Any:
        response = ua.DeleteMonitoredItemsResponse()
        response.Results = [ua.StatusCode(0) for _ in request.Parameters.MonitoredItemIds]
        return response

    def PublishRequest(self, link: Link, number: int, request: Any) -> Any:
        link.waiting.append((number, request))
        self._wake.set()

    def RepublishRequest(self, link: Link, number: int, request: Any) -> Any:
        kept = self.unread.get((request.Parameters.SubscriptionId, request.Parameters.RetransmitSequenceNumber))
        if kept is None:
            raise Fault(ua.StatusCodes.BadMessageNotAvailable)
        response = ua.RepublishResponse()
        response.NotificationMessage = kept
        return response

    # -- what the server sends of itself

    async def request_waiting(self) -> tuple[Link, int, Any]:
        """A publish request to answer, as soon as there is one."""
        while True:
            for link in list(self.links):
                if link.waiting:
                    number, request = link.waiting.popleft()
                    return link, number, request
            self._wake.clear()
            await self._wake.wait()

    async def publish(
        self,
        notifications: list[Any] | None = None,
        *,
        subscription: int = 0,
        sequence: int | None = None,
        swallow: bool = False,
    ) -> int:
        """Sends a NotificationMessage (a keep-alive without ``notifications``); with ``swallow`` it gets lost on the way."""
        subscription = subscription or self.subscription
        response = ua.PublishResponse()
        response.Parameters.SubscriptionId = subscription
        message = response.Parameters.NotificationMessage
        message.PublishTime = datetime.now(UTC)
        following = self.sequence.get(subscription, 0) % 0xFFFF_FFFF + 1
        message.SequenceNumber = following if sequence is None else sequence
        message.NotificationData = notifications or []
        if notifications and sequence is None:
            self.sequence[subscription] = following
            self.unread[subscription, following] = message
        if not swallow:
            link, number, request = await self.request_waiting()
            response.Parameters.Results = [ua.StatusCode(0) for _ in request.Parameters.SubscriptionAcknowledgements]
            link.respond(number, request, response)
            await link.writer.drain()
        return message.SequenceNumber

    async def values_change(self, values: dict[str, Any], **named: Any) -> int:
        """One notification with a new double for each node id."""
        change = ua.DataChangeNotification()
        now = datetime.now(UTC)
        change.MonitoredItems = [
            ua.MonitoredItemNotification(
                self.handles[node],
                ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=now, ServerTimestamp=now),
            )
            for node, value in values.items()
        ]
        return await self.publish([change], **named)
