"""The HTTP face of a node, as its configuration describes it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.network.identifiers.chain.contract import Link
from hulian.network.identifiers.chain.operators import Operators
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.tiers import Inside
from hulian.network.identifiers.statistics.collect import Statistics
from hulian.network.identifiers.statistics.report import Inbox
from hulian.network.identifiers.statistics.votes import Poll
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.errors import ListenError
from hulian.network.identifiers.transport.rest.application import Application
from hulian.network.identifiers.transport.rest.contract import Elsewhere, Node, Signing
from hulian.network.identifiers.transport.rest.server import RestListener, Tls
from hulian.network.identifiers.wire.authentication import Signer
from hulian.network.identifiers.wire.codes import InterfaceType, Transport
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.site import Interface, Server, Site

__all__ = ["rest_listener"]

_GIVES_OUT_PREFIXES = frozenset((Role.ROOT, Role.TOP_LEVEL, Role.SECOND_LEVEL))


def rest_listener(
    configuration: IdentifiersConfiguration,
    link: Link,
    inside: Inside | None,
    store: RecordStore | None,
    port: int,
    certificate: Callable[[], tuple[Path, Path]] | None,
    signer: Signer | None = None,
    own: Site | None = None,
    statistics: Statistics | None = None,
    poll: Poll | None = None,
    elsewhere: Elsewhere | None = None,
    operators: Operators | None = None,
) -> RestListener:
    """The listener, not yet running. ``port`` is that of the protocol; ``certificate`` is made by the local authority;
    ``elsewhere`` asks other systems.
    ``signer`` signs by the key that ``own``, the site of the node, names. ``operators`` run a node that keeps no records.

    Raises `ListenError` for a certificate without its key.
    """
    settings = configuration
    if bool(settings.rest_certificate) != bool(settings.rest_key):
        place = "identifiers.rest_certificate"
        raise ListenError("certificate and key belong together; one is missing", place=place, hint="give both, or neither")
    files = certificate
    if settings.rest_certificate:
        given = Path(settings.rest_certificate), Path(settings.rest_key)
        files = lambda: given  # noqa: E731 - what the local authority would give
    tls = Tls(files=files, clients=settings.rest_clients) if settings.rest_tls and files else None
    node = Node(
        answering=inside.answering if inside else link,
        proofs=inside.proofs if inside else operators.proofs if operators else None,
        authority=inside.authority if inside else operators.authority if operators else None,
        # A mirror takes no records but those of its primary site.
        store=None if inside is not None and inside.read_only else store,
        search=inside.search if inside else None,
        site=_site(settings, port, secure=tls is not None),
        gs1_prefix=settings.rest_gs1_prefix,
        applications=settings.applications if settings.role in _GIVES_OUT_PREFIXES else 0,
        interfaces=frozenset(settings.rest_interfaces) if inside is not None else frozenset(),
        signing=_signing(signer, own),
        statistics=statistics,
        poll=poll,
        inbox=Inbox(store.registry) if store is not None and _takes_reports(settings, inside) else None,
        elsewhere=elsewhere,
    )
    return RestListener(Application(node), settings.rest_host, settings.rest_port, tls)


def _signing(signer: Signer | None, site: Site | None) -> Signing | None:
    """The node's own key, where it is one that tokens can be signed with."""
    packed = site.servers[0].public_key if site is not None and site.servers else b""
    if signer is None or not packed:
        return None
    key = PublicKey.unpack(packed).usable()
    return Signing(signer=signer, public=key, packed=packed) if isinstance(key, rsa.RSAPublicKey) else None


def _takes_reports(settings: IdentifiersConfiguration, inside: Inside | None) -> bool:
    """Primary sites that other nodes stand below."""
    below = settings.role in (Role.ROOT, Role.TOP_LEVEL, Role.SECOND_LEVEL)
    return below and inside is not None and not inside.read_only


def _site(settings: IdentifiersConfiguration, port: int, *, secure: bool) -> Site | None:
    """What the node says of itself; None where it listens everywhere and was not told its address."""
    address = settings.address or settings.host
    try:
        if ipaddress.ip_address(address).is_unspecified:
            return None
    except ValueError:
        return None
    both = (InterfaceType.QUERY | InterfaceType.ADMIN).value
    interfaces = [
        Interface(InterfaceType.QUERY.value, Transport.UDP.value, port),
        Interface(both, Transport.TCP.value, port),
        Interface(both if secure else InterfaceType.QUERY.value, Transport.HTTP.value, settings.rest_port),
    ]
    return Site(servers=(Server(1, Server.address_to_bytes(address), b"", tuple(interfaces)),))
