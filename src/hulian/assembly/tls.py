"""The node's certificates: which files each listener shows, and what the node's own components believe."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hulian.assembly.configuration import Configuration
from hulian.network.exchange.spine.configuration import SpineConfiguration, Tls, reachable
from hulian.network.exchange.spine.server import reload
from hulian.network.exchange.spine.tls import ClientTls, SpineTrust, shown_certificate

if TYPE_CHECKING:
    from hulian.platform.api.service import ApiService
    from hulian.trust import CertificateAuthority
    from hulian.trust.renewal import Listener

__all__ = ["listener_certificates", "spine_listener", "spine_trust", "watched_listeners"]

_SPINE = "spine"
_MQTT = "mqtt"
_LEAF = "leaf"
_CLIENT = "spineclient"
_GIVEN = "put a new certificate and its key where the old files are: they are taken into use within ten minutes"
_NEW_ROOT = "thirty days before that a new one is made: computers and phones that trust this node must then install it"
_ROOT_WARN = datetime.timedelta(days=120)


def spine_trust(configuration: Configuration) -> SpineTrust | None:
    """What a component needs to reach the spine; None where the spine speaks plain text.

    The listener shows a certificate of the local authority, whose root is believed, or one that was given, of which exactly
    this one is: the names in it need not fit the loopback address that components use. Light: the supervisor calls it.
    """
    tls = configuration.spine.tls
    if tls is None:
        return None
    directory = _authority(configuration)
    if tls.certificate:
        files = ClientTls(anchors=tls.certificate, pinned=True)
    else:
        files = ClientTls(anchors=str(directory / f"{_SPINE}.pem"))
    if tls.authority:
        own, key = directory / f"{_CLIENT}.pem", directory / f"{_CLIENT}.key"
        files = msgspec.structs.replace(files, certificate=str(own), key=str(key))
    return SpineTrust(files)


def listener_certificates(configuration: Configuration, authority: CertificateAuthority) -> SpineConfiguration:
    """The spine's table with the files that its listeners show; what the local authority has to make is made or renewed.

    Where clients of the spine must show a certificate, the node's own components show one of the local authority: its root
    stands beside the given authority in the file that the server reads. Raises `CertificateError`.
    """
    spine = configuration.spine
    if spine.tls is not None:
        tls = _filled(spine.tls, authority, _SPINE, spine.host)
        if tls.authority:
            authority.own_client_certificate(_CLIENT)
            tls = msgspec.structs.replace(tls, authority=str(_admitted(configuration, tls.authority, authority.root_pem())))
        spine = msgspec.structs.replace(spine, tls=tls)
    if spine.mqtt_tls is not None:
        spine = msgspec.structs.replace(spine, mqtt_tls=_filled(spine.mqtt_tls, authority, _MQTT, spine.mqtt_host))
    if spine.leaf_port:
        # Edge nodes are always served with TLS, and show the certificates that this authority gave them.
        leaf = _filled(spine.leaf_tls or Tls(), authority, _LEAF, spine.leaf_host)
        spine = msgspec.structs.replace(spine, leaf_tls=msgspec.structs.replace(leaf, authority=str(authority.root_file())))
    return spine


def watched_listeners(configuration: Configuration, authority: CertificateAuthority, api: ApiService) -> list[Listener]:
    """What `hulian.trust.renewal.CertificateWatch` looks after on this node: every listener with TLS, and our own root."""
    from hulian.trust.renewal import Listener

    data, spine = Path(configuration.node.data), configuration.spine
    found = []
    if configuration.api.secure:
        found.append(_api_listener(configuration, authority, api))

    def of_spine(name: str, field: str, tls: Tls, host: str, port: int, *, greeting: bool) -> Listener:
        def files() -> Tls | None:
            shown: Tls | None = getattr(listener_certificates(configuration, authority), field)
            return shown

        return spine_listener(
            name, files, host, port, data / "spine", greeting=greeting, given=bool(tls.certificate), renew=authority.renew
        )

    if spine.tls is not None:
        found.append(of_spine("spine", "tls", spine.tls, spine.host, spine.port, greeting=True))
    if spine.mqtt_tls is not None and spine.mqtt_port:
        found.append(of_spine("MQTT listener", "mqtt_tls", spine.mqtt_tls, spine.mqtt_host, spine.mqtt_port, greeting=False))
    if spine.leaf_port:
        leaf = spine.leaf_tls or Tls()
        found.append(of_spine("listener for edge nodes", "leaf_tls", leaf, spine.leaf_host, spine.leaf_port, greeting=True))
    if any(listener.made for listener in found):
        found.append(Listener(name="local authority", chain=authority.root_file, made=False, warn=_ROOT_WARN, hint=_NEW_ROOT))
    return found


def spine_listener(
    name: str,
    files: Callable[[], Tls | None],
    host: str,
    port: int,
    directory: Path,
    *,
    greeting: bool,
    given: bool,
    renew: datetime.timedelta,
) -> Listener:
    """A listener of the server in ``directory``. ``files`` makes or renews what it shows; ``given``: a person does that."""
    from hulian.trust.renewal import Listener

    def chain() -> Path:
        shown = files()
        return Path(shown.certificate) if shown is not None else Path()

    return Listener(
        name=name,
        chain=chain,
        shown=lambda: shown_certificate(reachable(host), port, greeting=greeting),
        use=lambda: reload(directory),
        made=not given,
        renew=renew,
        hint=_GIVEN if given else "",
    )


def _api_listener(configuration: Configuration, authority: CertificateAuthority, api: ApiService) -> Listener:
    from hulian.platform.api.tls import ServerTls
    from hulian.trust.renewal import Listener

    def tls() -> ServerTls:
        assert api.tls is not None  # noqa: S101 - it serves, and with TLS, when the watch begins
        return api.tls

    given = bool(configuration.api.certificate)
    return Listener(
        name="API",
        chain=lambda: tls().chain(),
        shown=lambda: shown_certificate(reachable(configuration.api.host), api.port),
        use=lambda: tls().renew(),
        made=not given,
        renew=authority.renew,
        hint=_GIVEN if given else "",
    )


def _filled(tls: Tls, authority: CertificateAuthority, purpose: str, *listening: str) -> Tls:
    from hulian.trust import machine_names

    if tls.certificate:
        return tls
    made = authority.server_certificate(machine_names(*listening, also=tls.names), purpose)
    return msgspec.structs.replace(tls, certificate=str(made.certificate), key=str(made.key))


def _admitted(configuration: Configuration, given: str, root: bytes) -> Path:
    """The file of all authorities whose clients the spine lets in."""
    from hulian.trust import CertificateError, private_files

    try:
        content = Path(given).read_bytes()
    except OSError as error:
        raise CertificateError(f"cannot be read: {error.strerror}", place=f"spine.tls.authority = '{given}'") from error
    path = _authority(configuration) / "spineclients.pem"
    wanted = content.rstrip() + b"\n" + root
    if private_files.read(path) != wanted:
        private_files.replace(path, wanted)
    return path


def _authority(configuration: Configuration) -> Path:
    return Path(configuration.node.data) / "pki" / "authority"
