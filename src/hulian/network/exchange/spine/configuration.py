"""The settings of the spine. What reads a configuration loads no client of the spine for it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from hulian.kernel.configuration import GIVEN_BY

__all__ = ["MAXIMUM_PAYLOAD", "MEBIBYTE", "SpineConfiguration", "Tls", "reachable"]

Port = Annotated[int, Meta(ge=0, le=65535)]

MEBIBYTE: Final = 2**20
MAXIMUM_PAYLOAD: Final = 8 * MEBIBYTE
"""Largest message of the spine in bytes, headers included."""


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Certificate and key of a listener (PEM files). Nobody is served in plain text there, nor below TLS 1.2."""

    certificate: Annotated[str, Meta(description="file of the certificate chain (PEM); empty: made by the local CA")] = ""
    key: Annotated[str, Meta(description="file of the private key (PEM) of the certificate")] = ""
    authority: Annotated[
        str, Meta(description="file of the certificates (PEM) that clients must be signed by; empty: none asked")
    ] = ""
    names: Annotated[
        tuple[str, ...], Meta(description="further host names and addresses in a certificate that the local CA makes")
    ] = ()

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together; one is missing")


class SpineConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The spine: nats-server with JetStream, its MQTT listener and leaf listener."""

    host: Annotated[str, Meta(description="address that the spine listens on")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="port of the spine")] = 4222
    mqtt_host: Annotated[str, Meta(description="address of the MQTT listener")] = "127.0.0.1"
    mqtt_port: Annotated[Port, Meta(description="port of the MQTT listener; 0: off")] = 1883
    leaf_host: Annotated[str, Meta(description="address of the listener for edge nodes")] = "127.0.0.1"
    leaf_port: Annotated[Port, Meta(description="port for edge nodes, usually 7422; 0: off")] = 0
    leaf_tls: Annotated[
        Tls | None,
        Meta(description="TLS for edge nodes; made by the platform's own authority where not given"),
    ] = None
    monitor_port: Annotated[Port, Meta(description="nats-server's own monitoring over HTTP, loopback only; 0: off")] = 0
    durability: Annotated[
        Literal["process", "power"],
        Meta(
            description="what acknowledged data survive: 'process' a kill -9, 'power' also a power cut",
            extra={GIVEN_BY: "node.durability"},
        ),
    ] = "process"
    samples_bytes: Annotated[int, Meta(ge=MEBIBYTE, description="bytes of the samples stream; full: senders keep theirs")] = (
        2048 * MEBIBYTE
    )
    samples_hours: Annotated[float, Meta(gt=0, description="samples that nobody took are dropped after so many hours")] = 168.0
    events_bytes: Annotated[int, Meta(ge=MEBIBYTE, description="bound of the events stream; the oldest go")] = 64 * MEBIBYTE
    events_hours: Annotated[float, Meta(gt=0, description="age bound of the events stream")] = 168.0
    mqtt_bytes: Annotated[int, Meta(ge=MEBIBYTE, description="bytes of the MQTT stream (QoS 1, 2); full: no PUBACK")] = (
        1024 * MEBIBYTE
    )
    mqtt_hours: Annotated[float, Meta(gt=0, description="age bound of the MQTT stream")] = 168.0
    store_bytes: Annotated[int, Meta(ge=16 * MEBIBYTE, description="bound of all streams together on disk")] = 8192 * MEBIBYTE
    max_connections: Annotated[int, Meta(ge=8, description="most connections at a time, devices included")] = 4096
    max_payload: Annotated[int, Meta(ge=65536, le=MAXIMUM_PAYLOAD, description="largest message in bytes")] = MAXIMUM_PAYLOAD
    tls: Annotated[Tls | None, Meta(description="TLS for the spine; none on loopback")] = None
    mqtt_tls: Annotated[Tls | None, Meta(description="TLS for the MQTT listener")] = None

    @property
    def url(self) -> str:
        """Where components of this machine connect."""
        host = reachable(self.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'tls' if self.tls else 'nats'}://{host}:{self.port}"


def reachable(host: str) -> str:
    """The address under which this machine reaches a listener on ``host``."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared, not bound
