"""One connection to one server: socket, secure channel, session, on asyncua's client.

What is ours: bounded framing, the cause of every broken connection, raw response bodies for `hulian…opcua.wire`, endpoint
and login choices, and errors that say what to do. Reconnecting is the connector's business.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import anyio
import msgspec
from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UaClient, UASocketProtocol, UASocketState
from asyncua.client.ua_session import UaSession
from asyncua.common.connection import TransportLimits
from asyncua.common.shortcuts import Shortcuts
from asyncua.common.utils import Buffer
from asyncua.crypto import security_policies
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes, get_name_and_doc
from asyncua.ua.ua_binary import header_from_binary, struct_from_binary, uatcp_to_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_der_x509_certificate

from hulian.network.exchange.protocols.contract import Environment
from hulian.network.exchange.protocols.opcua import security
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import (
    CertificateChangedError,
    ExpiredError,
    ForeignError,
    LoginError,
    OpcuaError,
    OwnCertificateError,
    RefusedError,
    SecurityError,
    SessionLostError,
    SilentError,
    UnreachableError,
    WireError,
)
from hulian.network.exchange.protocols.opcua.wire import check_answers

__all__ = ["Session", "application_uri", "endpoints_of", "explain"]

CHUNK: Final = 1 << 20
"""The largest chunk we take, announced to the server; the default of most servers is 64 KiB."""

LIBRARY: Final = 4 << 20
"""The largest answer that asyncua decodes; what may be larger, samples and history, our own decoder reads."""

ENDPOINTS: Final = 512 << 10
"""The longest list of endpoints, with a certificate in each."""

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


class _Client(Client):
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


def application_uri(configuration: OpcuaConfiguration, organisation: str) -> str:
    """Our name on servers: one for all connectors of an installation, so that a server approves one certificate."""
    return configuration.application_uri or f"urn:{socket.gethostname().lower()}:hulian:{organisation}"


@contextmanager
def explain(place: str, client: _Client | None = None) -> Iterator[None]:
    """Turns what asyncua, the socket and the server say into this room's errors."""
    try:
        yield
    except OpcuaError:
        raise
    except (UaError, OSError, TimeoutError, InvalidSignature, ValueError, struct.error, RecursionError) as error:
        cause: Exception = error
        fault = client.transport.channel.fault if client is not None and client.transport.channel is not None else None
        if fault is not None and (not isinstance(error, TimeoutError) or isinstance(fault, OpcuaError)):
            cause = fault
        raise _explained(cause, place) from error


def _explained(error: Exception, place: str) -> OpcuaError:
    if isinstance(error, OpcuaError):
        error.place = error.place or place
        return error
    if isinstance(error, UaStatusCodeError):
        return _of_status(int(error.code), place)
    if isinstance(error, TimeoutError):
        return SilentError("the server does not answer in time", place=place)
    if isinstance(error, socket.gaierror):
        return UnreachableError("the host name is not known", place=place, hint="check the spelling and the name service")
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError("nobody listens there", place=place)
    if isinstance(error, ConnectionError):
        return SessionLostError(str(error) or "the connection was lost", place=place)
    if isinstance(error, OSError):
        return UnreachableError(error.strerror or str(error), place=place)
    if isinstance(error, InvalidSignature):
        return CertificateChangedError("a message of the server has a wrong signature", place=place)
    if isinstance(error, RecursionError):
        return WireError("the server's message nests too deep", place=place)
    if "certificate mismatch" in str(error):
        return CertificateChangedError("the server's certificate is not the one it announced", place=place)
    return WireError(f"the server's message cannot be read: {error}", place=place)


_LOGIN: Final = frozenset(
    {
        StatusCodes.BadUserAccessDenied,
        StatusCodes.BadIdentityTokenRejected,
        StatusCodes.BadIdentityTokenInvalid,
        StatusCodes.BadUserSignatureInvalid,
    }
)
_OURS: Final = frozenset(
    {
        StatusCodes.BadSecurityChecksFailed,
        StatusCodes.BadCertificateUntrusted,
        StatusCodes.BadCertificateInvalid,
        StatusCodes.BadCertificateUseNotAllowed,
        StatusCodes.BadCertificateUriInvalid,
        StatusCodes.BadCertificateRevoked,
        StatusCodes.BadCertificateChainIncomplete,
        StatusCodes.BadCertificateIssuerUseNotAllowed,
        StatusCodes.BadApplicationSignatureInvalid,
    }
)
_EXPIRED: Final = frozenset({StatusCodes.BadCertificateTimeInvalid, StatusCodes.BadCertificateIssuerTimeInvalid})
_GONE: Final = frozenset(
    {
        StatusCodes.BadSessionIdInvalid,
        StatusCodes.BadSessionClosed,
        StatusCodes.BadSessionNotActivated,
        StatusCodes.BadSecureChannelIdInvalid,
        StatusCodes.BadSecureChannelClosed,
        StatusCodes.BadSecureChannelTokenUnknown,
        StatusCodes.BadConnectionClosed,
        StatusCodes.BadServerHalted,
        StatusCodes.BadShutdown,
        StatusCodes.BadSubscriptionIdInvalid,
        StatusCodes.BadNoSubscription,
    }
)


def _of_status(code: int, place: str) -> OpcuaError:
    name, text = get_name_and_doc(code)
    said = f"{name}: {text}" if text else name
    if code in _LOGIN:
        return LoginError(f"the server refuses the login ({name})", place=place)
    if code in _OURS:
        return OwnCertificateError(f"the server does not accept our certificate ({name})", place=place)
    if code in _EXPIRED:
        return ExpiredError(
            "the server says that a certificate is not valid now",
            place=place,
            hint="check the server's clock and ours, and whether our application certificate has expired",
        )
    if code in _GONE:
        gone = code in (StatusCodes.BadSubscriptionIdInvalid, StatusCodes.BadNoSubscription)
        return SessionLostError(f"the server ended the session ({name})", place=place, subscription=gone)
    if code in (StatusCodes.BadTimeout, StatusCodes.BadRequestTimeout):
        return SilentError(f"the server does not answer in time ({name})", place=place)
    if code == StatusCodes.BadSecurityPolicyRejected:
        return SecurityError(f"the server refuses the security policy ({name})", place=place)
    return RefusedError(f"the server refuses: {said}", place=place, status=code)


async def endpoints_of(url: str, configuration: OpcuaConfiguration) -> list[ua.EndpointDescription]:
    """What the server offers, asked over an unencrypted channel (it holds no secret; the choice is checked later)."""
    host, port = security.authority(url)
    client = _Client(url, msgspec.structs.replace(configuration, maximum_message=ENDPOINTS))
    transport = client.transport
    with explain(url, client):
        await transport.connect_socket(host, port)
        try:
            await client.send_hello()
            await client.open_secure_channel()
            found: list[ua.EndpointDescription] = await client.get_endpoints()
            return found
        finally:
            if transport.alive:
                await client.close_secure_channel()
            transport.disconnect_socket()


class Session:
    """An open, logged-in session. `open` makes it; every call raises this room's errors; `close` never raises."""

    def __init__(self, client: _Client, place: str, endpoint: ua.EndpointDescription, warning: str) -> None:
        self.place = place
        self.endpoint = endpoint
        self.warning = warning
        self.resumed = False
        """Whether this is the session of the connection before, with its subscriptions."""
        self._client = client

    @classmethod
    async def open(
        cls,
        url: str,
        configuration: OpcuaConfiguration,
        environment: Environment,
        login: security.Login,
        *,
        before: Session | None = None,
    ) -> Session:
        """Connects, checks, logs in. With ``before``, its session is taken over where the server still knows it.

        Raises whatever stands in the way: `UnreachableError`, `SecurityError` and its kinds, `LoginError`, …
        """
        endpoints = await endpoints_of(url, configuration)
        endpoint = security.choose(endpoints, configuration, place=url)
        token = security.choose_token(endpoint, login, configuration=configuration, place=url)
        encrypted = endpoint.SecurityMode != ua.MessageSecurityMode.None_
        certificate = security.leaf(endpoint.ServerCertificate or b"")
        warning = ""
        secret = (
            login.kind != ua.UserTokenType.Anonymous and token.SecurityPolicyUri != security_policies.SecurityPolicyNone.URI
        )
        if encrypted or secret:
            peer = f"{endpoint.Server.ApplicationName.Text or endpoint.Server.ApplicationUri or ''} at {url}"
            warning = await anyio.to_thread.run_sync(security.check_certificate, certificate, environment.trust, peer, url)
        target = security.reachable_url(url, endpoint.EndpointUrl, follow=configuration.follow_server_url)
        client = _Client(target, configuration)
        client.name = "Hulian"
        client.description = f"Hulian {environment.connector}"
        client.product_uri = "urn:hulian"
        client.application_uri = application_uri(configuration, environment.organisation)
        client.session_timeout = int(max(60.0, configuration.keep_alive * 12) * 1000)
        client.token = token
        if encrypted:
            own, key = await anyio.to_thread.run_sync(environment.trust.own, client.application_uri)
            client.use(security.policy_class(endpoint), certificate, own, key, endpoint.SecurityMode)
        elif secret:
            client.security_policy.peer_certificate = certificate
        if login.user:
            client.set_user(login.user)
            client.set_password(login.password)
        client.user_certificate, client.user_private_key = login.certificate, login.key
        session = cls(client, url, endpoint, warning)
        await session._connect(before)
        return session

    async def _connect(self, before: Session | None) -> None:
        client, transport = self._client, self._client.transport
        host, port = security.authority(client.server_url.geturl())
        try:
            with explain(self.place, client):
                await transport.connect_socket(host, port)
                await client.send_hello()
                await client.open_secure_channel()
                self.resumed = before is not None and await client.take_over(*before.ticket())
                if not self.resumed:
                    await client.create_session()
                    await client.log_in()
        except LoginError as error:
            transport.disconnect_socket()
            if client.user_certificate is None:
                raise
            shown = client.user_certificate
            raise LoginError(
                f"{error.message}: user certificate {shown.subject.rfc4514_string()}, valid until "
                f"{shown.not_valid_after_utc:%Y-%m-%d}",
                place=self.place,
                hint=f"the server has to trust this certificate as a user's: thumbprint {security.thumbprint(shown)}",
            ) from error
        except BaseException:
            transport.disconnect_socket()
            raise

    @property
    def alive(self) -> bool:
        return self._client.transport.alive

    def ticket(self) -> tuple[ua.NodeId, Any]:
        """What another connection needs to take this session over."""
        return self._client.ticket()

    @property
    def lifetime(self) -> float:
        """How long, in seconds, the server keeps the session without a connection."""
        return float(self._client.session_timeout) / 1000

    @property
    def services(self) -> UaSession:
        """asyncua's session services; wrap calls in `explain`."""
        return self._client.transport.session

    @contextmanager
    def explained(self) -> Iterator[None]:
        with explain(self.place, self._client):
            yield

    def refusal(self, code: int) -> OpcuaError:
        """The error that a bad service result stands for."""
        return _of_status(code, self.place)

    async def raw(self, request: Any, timeout: float | None = None) -> bytes:
        """The body of the response to ``request``; a ServiceFault becomes an error."""
        with self.explained():
            return await self._client.transport.services.raw(request, timeout)

    async def read(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds = AttributeIds.Value) -> list[ua.DataValue]:
        with self.explained():
            found: list[ua.DataValue] = await self.services.read_attributes(list(nodes), attribute)
            return found

    async def renew_for_ever(self) -> None:
        """Renews the secure channel at 75 % of its lifetime (OPC 10000-4, section 5.5.2.1)."""
        while True:
            await anyio.sleep(max(1.0, self._client.secure_channel_timeout / 1000 * 0.75))
            with self.explained():
                await self._client.open_secure_channel(renew=True)
                self._client.transport.revolve_security_token()

    async def close(self, *, keep_subscriptions: bool = False) -> None:
        """Says goodbye where somebody listens, for at most two seconds, and closes the socket."""
        client, transport = self._client, self._client.transport
        try:
            if transport.alive:
                with anyio.move_on_after(2, shield=True):
                    await transport.session.close_session(not keep_subscriptions)
                    await client.close_secure_channel()
        except (UaError, OSError, TimeoutError, ValueError):
            pass
        finally:
            transport.disconnect_socket()

    def abandon(self) -> None:
        """Closes the socket without a word: the server keeps the session until its timeout, for `open` to take over."""
        self._client.transport.disconnect_socket()
