"""One connection to one server: socket, secure channel, session, on asyncua's client.

What is ours: endpoint and login choices, raw response bodies for `hulian…opcua.wire`, and, in `client` and `causes`, bounded
framing and errors that say what to do. Reconnecting is the connector's business.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import anyio
import msgspec
from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.crypto import security_policies
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError

from hulian.network.exchange.protocols.contract import Environment
from hulian.network.exchange.protocols.opcua import security
from hulian.network.exchange.protocols.opcua.causes import explain, of_status
from hulian.network.exchange.protocols.opcua.client import BoundedClient
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import (
    LoginError,
    OpcuaError,
)

__all__ = ["Session", "application_uri", "endpoints_of"]

ENDPOINTS: Final = 512 << 10
"""The longest list of endpoints, with a certificate in each."""


def application_uri(configuration: OpcuaConfiguration, organisation: str) -> str:
    """Our name on servers: one for all connectors of an installation, so that a server approves one certificate."""
    return configuration.application_uri or f"urn:{socket.gethostname().lower()}:hulian:{organisation}"


async def endpoints_of(url: str, configuration: OpcuaConfiguration) -> list[ua.EndpointDescription]:
    """What the server offers, asked over an unencrypted channel (it holds no secret; the choice is checked later)."""
    host, port = security.authority(url)
    client = BoundedClient(url, msgspec.structs.replace(configuration, maximum_message=ENDPOINTS))
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

    def __init__(self, client: BoundedClient, place: str, endpoint: ua.EndpointDescription, warning: str) -> None:
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
        client = BoundedClient(target, configuration)
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
        return of_status(code, self.place)

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
