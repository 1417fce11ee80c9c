"""What of this node can be reached from other machines in plain text."""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path

import msgspec

from hulian.assembly.configuration import Configuration
from hulian.kernel.event import Event, Severity

__all__ = ["plain_events", "plain_listeners"]


def plain_listeners(configuration: Configuration) -> list[tuple[str, str, str]]:
    """Each listener beyond the loopback without TLS, as (name, address, the key that would mend it).

    An API behind a trusted proxy is not among them: the proxy speaks TLS to the browsers.
    """
    api, spine = configuration.api, configuration.spine
    listeners = [
        ("API", api.host, api.port, api.secure or bool(api.trusted_proxies), "api.tls = true"),
        ("spine", spine.host, spine.port, spine.tls is not None, "[spine.tls]"),
        ("MQTT listener", spine.mqtt_host, spine.mqtt_port, spine.mqtt_tls is not None, "[spine.mqtt_tls]"),
    ]
    return [
        (name, f"{host or '*'}:{port}", key)
        for name, host, port, safe, key in listeners
        if not safe and not _loopback(host) and (port or name == "API")
    ]


def plain_events(configuration: Configuration, component: str) -> list[Event]:
    """An event for each of `plain_listeners`, and the end of the condition for one that was told of before."""
    plain = {name: (address, key) for name, address, key in plain_listeners(configuration)}
    told = Path(configuration.node.data) / "run" / "plain-listeners.json"
    try:
        before = set(msgspec.json.decode(told.read_bytes(), type=list[str]))
    except (OSError, msgspec.DecodeError):
        before = set()
    if before != set(plain):
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_bytes(msgspec.json.encode(sorted(plain)))
    found = [
        _event(
            component,
            name,
            f"the {name} listens on {address} without TLS: passwords and data travel readable",
            f"set {key} in hulian.toml, or listen on 127.0.0.1",
        )
        for name, (address, key) in plain.items()
    ]
    return found + [
        _event(component, name, f"the {name} is no longer open in plain text") for name in sorted(before - set(plain))
    ]


def _event(component: str, name: str, message: str, hint: str = "") -> Event:
    from hulian.trust.events import TrustEvent

    return Event(
        time=time.time_ns(),
        code=TrustEvent.PLAIN_LISTENER,
        severity=Severity.WARNING if hint else Severity.INFO,
        component=component,
        subject=f"listener:{name}",
        message=message,
        hint=hint,
        active=bool(hint),
    )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
