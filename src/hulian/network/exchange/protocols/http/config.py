"""What a person configures of a listener that others push to."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from hulian.network.exchange.protocols.http.errors import AddressError, OptionError
from hulian.network.exchange.protocols.moments import QualityFormat, TimeFormat
from hulian.network.exchange.protocols.tabular import TableMapping

__all__ = ["HttpConfiguration", "JsonMapping", "Listen", "parse_url"]


class JsonMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the JSON bodies of one stream are read. Paths are dotted; those of points are relative to one sample."""

    stream: Annotated[str, Meta(description="the stream; empty: every one that no other mapping names")] = ""
    samples: Annotated[str, Meta(description="path of a list of samples; empty: the body is one sample, or a list of them")] = (
        ""
    )
    time: Annotated[str, Meta(description="path of the time; 'auto': timestamp, ts, time, datetime; empty: received")] = "auto"
    time_format: Annotated[TimeFormat, Meta(description="form of the time; 'auto' tells by its size")] = "auto"
    quality: Annotated[str, Meta(description="path of the quality; empty: every value is good")] = ""
    quality_format: Annotated[QualityFormat, Meta(description="form of the quality")] = "auto"
    name: Annotated[str, Meta(description="path of the name, where a sample is a name and a value")] = ""
    value: Annotated[str, Meta(description="path of the value beside that name")] = "value"


class HttpConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one listener. Its token is the password of the connector's credentials."""

    certificate: Annotated[str, Meta(description="PEM file of the TLS certificate; empty: one of our own")] = ""
    key: Annotated[str, Meta(description="PEM file of its private key")] = ""
    anonymous: Annotated[bool, Meta(description="whether anyone on this machine may push without a token")] = False
    mappings: Annotated[tuple[JsonMapping, ...], Meta(description="how JSON bodies are read, CloudEvents too")] = ()
    tables: Annotated[TableMapping, Meta(description="how Arrow tables are read")] = TableMapping()
    body_mb: Annotated[int, Meta(ge=1, le=1024, description="MiB of a body as it comes")] = 16
    decoded_mb: Annotated[int, Meta(ge=1, le=4096, description="MiB of a body when it is decompressed")] = 64
    concurrent: Annotated[int, Meta(ge=1, le=1000, description="requests at once; more are told to come again (429)")] = 16
    connections: Annotated[int, Meta(ge=1, le=10_000, description="open connections; more are told to come again (503)")] = 200
    request_seconds: Annotated[float, Meta(gt=0, le=3600, description="seconds that a request may take to come in")] = 60.0
    keys: Annotated[int, Meta(ge=0, le=1_000_000, description="idempotency keys that are remembered")] = 10_000
    keys_seconds: Annotated[float, Meta(gt=0, description="seconds for which a key is remembered")] = 86_400.0
    silent_after: Annotated[float, Meta(ge=0, description="seconds without a request until values are uncertain; 0: never")] = (
        0.0
    )
    bad_after: Annotated[float, Meta(ge=0, description="seconds more until uncertain values become bad")] = 10.0
    reconnect_first: Annotated[float, Meta(gt=0, description="seconds before the first new attempt to listen")] = 0.5
    reconnect_most: Annotated[float, Meta(gt=0, description="longest wait between two attempts, in seconds")] = 30.0

    def check(self, listen: Listen, *, token: bool) -> None:
        """Raises `OptionError` for settings that can never work, or that would let anyone in."""
        try:
            self.tables.check()
        except ValueError as error:
            raise OptionError(str(error), place="settings.tables") from error
        if bool(self.certificate) != bool(self.key):
            raise OptionError("certificate and key belong together; one is missing", place="settings")
        if token:
            return
        if not self.anonymous:
            hint = "give the connector a password: it is the token that senders present; or set 'anonymous' on loopback"
            raise OptionError("the listener has no token", place=str(listen), hint=hint)
        if not listen.loopback:
            raise OptionError("without a token only this machine itself may push", place=str(listen), hint="give it a password")


class Listen(msgspec.Struct, frozen=True):
    """Where to listen."""

    host: str
    port: int
    tls: bool = False

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def parse_url(url: str) -> Listen:
    """``http-push://[host][:8087]`` or ``https-push://…``; raises `AddressError`. Without a host: loopback.

    >>> parse_url("http-push://")
    Listen(host='127.0.0.1', port=8087, tls=False)
    """
    hint = "write http-push://127.0.0.1:8087, or https-push://0.0.0.0:8087 with TLS on every interface"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(f"not an address to listen on: {error}", place=url, hint=hint) from error
    wrong = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in ("http-push", "https-push") or wrong:
        raise AddressError("not an address to listen on", place=url, hint=hint)
    return Listen(host or "127.0.0.1", 8087 if port is None else port, parts.scheme == "https-push")
