"""What an operator may set under ``[api]``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["ApiConfiguration"]


class ApiConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP API and the console."""

    host: Annotated[str, Meta(description="address to listen on; loopback until you decide otherwise")] = "127.0.0.1"
    port: Annotated[int, Meta(description="TCP port; 0 lets the system choose", ge=0, le=65535)] = 8080
    tls: Annotated[bool, Meta(description="serve HTTPS; without certificate and key the local CA makes them")] = False
    certificate: Annotated[str, Meta(description="PEM file with the certificate chain; empty: made by the local CA")] = ""
    key: Annotated[str, Meta(description="PEM file with the private key of the certificate")] = ""
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(description="names under which browsers reach this host, besides its own"),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="addresses of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed"),
    ] = ()
    body_limit: Annotated[int, Meta(description="largest request body in bytes, imports apart", ge=1024)] = 4 * 2**20
    import_limit: Annotated[int, Meta(description="largest file to import in bytes", ge=1024)] = 8 * 2**30
    json_rows: Annotated[int, Meta(description="most samples of one JSON answer", ge=1000)] = 500_000
    query_seconds: Annotated[float, Meta(description="longest time of one query", gt=0)] = 30.0
    query_memory: Annotated[int, Meta(description="most memory of one query in bytes", ge=2**20)] = 256 * 2**20
    query_threads: Annotated[int, Meta(description="threads of one query", ge=1)] = 1
    query_points: Annotated[int, Meta(description="most points of one query", ge=1)] = 2_000
    live_clients: Annotated[int, Meta(description="most live streams at a time", ge=1)] = 200
    live_points: Annotated[int, Meta(description="most points of one live stream", ge=1)] = 5_000
    live_events_per_second: Annotated[float, Meta(description="most live messages a second and client", gt=0)] = 20.0
    live_buffer: Annotated[int, Meta(description="samples kept for a slow live client", ge=100)] = 50_000
    connections: Annotated[int, Meta(description="most connections at a time", ge=1)] = 1_000
    imports: Annotated[int, Meta(description="imports running at a time", ge=1)] = 1
    model_limit: Annotated[int, Meta(description="largest document to import into the model in bytes", ge=1024)] = 2 * 2**30
    model_waiting: Annotated[int, Meta(description="most documents that wait to be applied or discarded", ge=1)] = 50

    @property
    def secure(self) -> bool:
        """Whether it is HTTPS that is served."""
        return self.tls or bool(self.certificate)
