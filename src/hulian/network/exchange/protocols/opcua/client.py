"""asyncua's client with bounded framing: the cause of every broken connection is kept, and answers come as raw bytes.

A message is refused before it is collected (OPC 10000-6, 6.7 and 7.1); `session` says what is done with it.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import Any, Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UaClient, UASocketProtocol, UASocketState
from asyncua.client.ua_session import UaSession
from asyncua.common.connection import TransportLimits
from asyncua.common.shortcuts import Shortcuts
from asyncua.common.utils import Buffer
from asyncua.crypto import security_policies
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import header_from_binary, struct_from_binary, uatcp_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_der_x509_certificate

from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import (
    ForeignError,
    WireError,
)
from hulian.network.exchange.protocols.opcua.wire import check_answers

__all__ = ["BoundedClient"]

CHUNK: Final = 1 << 20
"""The largest chunk we take, announced to the server; the default of most servers is 64 KiB."""

LIBRARY: Final = 4 << 20
"""The largest answer that asyncua decodes; what may be larger, samples and history, our own decoder reads."""

SEND: Final = 65_536
"""The largest chunk we send, if the server takes so much."""

_KNOWN_FRAMES: Final = frozenset({b"ACK", b"ERR", b"OPN", b"MSG", b"CLO"})

for _name in ("asyncua", "asyncua.client.ua_client", "asyncua.uaprotocol"):
    # The connector tells a person what went wrong, in one place and in words; the library would add tracebacks.
    if logging.getLogger(_name).level == logging.NOTSET:
        logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


status_error: Any = UaStatusCodeError
"""asyncua's class, whose constructor has no types."""


class _Limits(TransportLimits):
    """What we send is bounded by the server's acknowledgement, what we receive only by our own settings."""

    def update_client_limits(self, msg: ua.Acknowledge) -> None:
        self.max_send_buffer = max(8192, min(self.max_send_buffer, msg.ReceiveBufferSize or self.max_send_buffer))


class _Channel(UASocketProtocol):
    """asyncua's socket protocol with bounded framing; ``fault`` keeps why it was closed."""

    def __init__(self, timeout: float, policy: security_policies.SecurityPolicy, maximum: int) -> None:
        limits = _Limits(CHUNK, SEND, maximum // 8192 + 16, maximum)
        super().__init__(timeout, security_policy=policy, limits=limits)
        self.fault: Exception | None = None
        self._maximum = maximum
        self._pending = bytearray()

    async def send_hello(self, url: str, max_messagesize: int = 0, max_chunkcount: int = 0) -> ua.Acknowledge:
        hello: Any = ua.Hello()
        hello.ReceiveBufferSize, hello.SendBufferSize = CHUNK, SEND
        hello.MaxMessageSize, hello.MaxChunkCount = self._maximum, 0
        hello.EndpointUrl = url
        acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._callbackmap[0] = acknowledged
        if self.transport is None:
            raise ConnectionError("the connection was closed")
        kind: Any = ua.MessageType.Hello
        self.transport.write(uatcp_to_binary(kind, hello))
        return await asyncio.wait_for(acknowledged, self.timeout)

    def data_received(self, data: bytes) -> None:
        """Cuts the stream into frames; a frame that is not OPC UA or too long ends the connection before it is stored."""
        pending = self._pending
        pending += data
        position = 0
        try:
            while len(pending) - position >= 8:
                kind, _, size = struct.unpack_from("<3scI", pending, position)
                if kind not in _KNOWN_FRAMES:
                    raise ForeignError(f"the peer sends {bytes(pending[position : position + 8])!r}, which is not OPC UA")
                if not 8 <= size <= CHUNK:
                    raise WireError(f"a chunk claims {size} bytes; {CHUNK} were agreed")
                if len(pending) - position < size:
                    break
                self._frame(bytes(pending[position : position + size]))
                position += size
        except Exception as error:  # noqa: BLE001 - asyncua raises whatever garbage leads it to; each ends this connection only
            self._broken(error)
            return
        del pending[:position]

    def _frame(self, frame: bytes) -> None:
        buffer = Buffer(frame)
        header: Any = header_from_binary(buffer)
        message = self._connection.receive_from_header_and_body(header, buffer)
        if isinstance(message, ua.ErrorMessage):
            raise status_error(message.Error.value if message.Error is not None else StatusCodes.BadUnexpectedError)
        self._process_received_message(message)
        if header.MessageType == ua.MessageType.SecureOpen and message is not None:
            asked = self._open_secure_channel_exchange
            response = struct_from_binary(ua.OpenSecureChannelResponse, message.body())
            response.ResponseHeader.ServiceResult.check()
            if not isinstance(asked, ua.OpenSecureChannelParameters):
                raise WireError("the server opened a secure channel that nobody asked for")
            self._open_secure_channel_exchange = response
            self._connection.set_channel(response.Parameters, asked.RequestType, asked.ClientNonce)

    def _broken(self, error: Exception) -> None:
        if self.fault is None:
            self.fault = error
        self._pending.clear()
        self._fail_all_pending(error)
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.fault is None:
            self.fault = exc or ConnectionError("the server closed the connection")
        super().connection_lost(exc)


class _Services(UaSession):
    """asyncua's session services, and the raw body of a response."""

    async def raw(self, request: Any, timeout: float | None = None) -> bytes:
        """Sends ``request`` and returns the response's body as it came; a ServiceFault is raised."""
        return bytes(await super()._send_request(request, timeout))

    async def _send_request(
        self, request: Any, timeout: float | None = None, message_type: Any = ua.MessageType.SecureMessage
    ) -> Buffer:
        """What asyncua will decode, object by object: no more than was asked for, and no more than `LIBRARY`."""
        body = await super()._send_request(request, timeout, message_type)
        if len(body) > LIBRARY:
            raise WireError(f"an answer of {len(body)} bytes came where a few are usual")
        if isinstance(request, ua.ReadRequest):
            check_answers(bytes(body), len(request.Parameters.NodesToRead))
        return body

    def ensure_publish_loop(self) -> None:
        """Nothing: `hulian…opcua.subscription` publishes."""


class _Transport(UaClient):
    """asyncua's low-level client over `_Channel`."""

    services: _Services

    def __init__(self, timeout: float, maximum: int) -> None:
        super().__init__(timeout)
        self._maximum = maximum
        self.set_max_concurrent_requests(1000)
        self.services = _Services(self)
        self.session = self.services
        self.channel: _Channel | None = None

    def _make_protocol(self) -> UASocketProtocol:
        channel = _Channel(self._timeout, self.security_policy, self._maximum)
        channel.on_connection_lost = self._on_transport_lost
        channel.is_session_closing = self._is_session_closing
        self.protocol = self.channel = channel
        return channel

    @property
    def alive(self) -> bool:
        return self.channel is not None and self.channel.state is UASocketState.OPEN


class BoundedClient(Client):
    """asyncua's client without its supervisor: one attempt, our choice of the user token."""

    token: ua.UserTokenPolicy | None = None

    def __init__(self, url: str, configuration: OpcuaConfiguration) -> None:
        super().__init__(url, timeout=configuration.timeout)
        self.transport = _Transport(configuration.timeout, configuration.maximum_message)
        self.uaclient = self.transport
        self.nodes = Shortcuts(self.transport.session)
        self.max_messagesize = configuration.maximum_message

    def server_policy(self, token_type: ua.UserTokenType) -> ua.UserTokenPolicy:
        if self.token is not None:
            return self.token
        return super().server_policy(token_type)

    def use(self, policy: Any, theirs: bytes, own: bytes, key: bytes, mode: ua.MessageSecurityMode) -> None:
        """Secures the channel with ``policy`` between the certificates ``theirs`` and ``own`` (DER; ``key`` PEM)."""
        self.security_policy = policy(
            load_der_x509_certificate(theirs), load_der_x509_certificate(own), load_pem_private_key(key, None), mode
        )
        self.transport.set_security(self.security_policy)

    async def log_in(self) -> None:
        """Activates the session with the login that was set."""
        await self.activate_session(username=self._username, password=self._password, certificate=self.user_certificate)

    async def take_over(self, token: ua.NodeId, nonce: Any) -> bool:
        """Takes over the session of an earlier connection (OPC 10000-4, section 6.7), if the server still knows it."""
        services = self.transport.session
        self._server_nonce = nonce
        services.restore_authentication_token(token)
        try:
            await self.log_in()
        except UaStatusCodeError:
            services.reset_authentication_token()
            self._server_nonce = None
            return False
        return True

    def ticket(self) -> tuple[ua.NodeId, Any]:
        """What `take_over` needs to go on with this session in another connection."""
        return self.transport.session.authentication_token, self._server_nonce
