"""Who may say and hear what on the spine: one table, from which the server's permissions are generated."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import bcrypt
import msgspec

from hulian.kernel.identifier import escape
from hulian.trust import private_files
from hulian.trust.errors import KeyStoreError

__all__ = ["Component", "SpineAccounts", "SpineUser", "edge_account", "inbox_prefix"]

_ROUNDS: Final = 5


class Component(StrEnum):
    """The components that have a credential of their own; its user name on the spine is the component's name."""

    SUPERVISOR = "supervisor"
    HISTORIAN = "historian"
    EDGE = "edge"
    API = "api"
    CLI = "cli"
    MONITOR = "monitor"


class SpineUser(msgspec.Struct, frozen=True, kw_only=True):
    """One credential and what it may do; all else is refused. ``password_hash`` is bcrypt.

    ``deny_subscribe`` cuts out of a wide ``subscribe``. ``device`` users come in through the MQTT listener only, ``leaf``
    users through the listener for edge nodes only, all others through neither. ``responses`` lets a component answer the
    requests that reach it. ``system`` users belong to the server's own account.
    """

    name: str
    password_hash: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    deny_subscribe: tuple[str, ...] = ()
    device: bool = False
    leaf: bool = False
    responses: bool = False
    system: bool = False

    def __repr__(self) -> str:
        return f"SpineUser({self.name!r})"


class _Credential(msgspec.Struct, frozen=True):
    password: str
    hash: str

    def __repr__(self) -> str:
        return "_Credential(…)"


class _Permissions(msgspec.Struct, frozen=True):
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    deny_subscribe: tuple[str, ...] = ()


_KEEP: Final = tuple(
    f"$JS.API.STREAM.{verb}.{stream}"
    for verb in ("CREATE", "UPDATE", "INFO", "PURGE")
    for stream in ("HL_SAMPLES", "HL_EVENTS", "HL_COMMANDS", "$MQTT_msgs")
)
_LOOK: Final = (
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.CONSUMER.INFO.>",
    "$JS.API.CONSUMER.LIST.*",
)


def _consume(*streams: str) -> tuple[str, ...]:
    return (
        *(
            f"$JS.API.CONSUMER.{verb}.{stream}.>"
            for stream in streams
            for verb in ("CREATE", "DURABLE.CREATE", "INFO", "MSG.NEXT", "DELETE", "RESET")
        ),
        *(f"$JS.API.CONSUMER.{verb}.{stream}" for stream in streams for verb in ("CREATE", "NAMES", "LIST")),
        *(f"$JS.API.STREAM.MSG.GET.{stream}" for stream in streams),
        "$JS.ACK.>",
        "$JS.FC.>",
    )


_TABLE: Final[dict[Component, _Permissions]] = {
    Component.SUPERVISOR: _Permissions(
        publish=("hl.{org}.events.>", "hl.{org}.status.supervisor.>", "hl.{org}.control.>", "hl.{org}.query.>", "$JS.API.>"),
        subscribe=("hl.{org}.status.>", "hl.{org}.events.>", "hl.{org}.control.supervisor"),
    ),
    Component.HISTORIAN: _Permissions(
        publish=(
            "hl.{org}.events.>",
            "hl.{org}.status.historian.>",
            "hl.{org}.status.ingest.>",
            *_LOOK,
            *_KEEP,
            *_consume("HL_SAMPLES", "HL_EVENTS", "$MQTT_msgs"),
        ),
        subscribe=("hl.{org}.query.>", "hl.{org}.control.historian", "hl.{org}.control.ingest", "hl.{org}.status.edge.*"),
    ),
    Component.EDGE: _Permissions(
        publish=(
            "hl.{org}.samples.>",
            "hl.{org}.events.>",
            "hl.{org}.status.edge.>",
            *_LOOK,
            *_consume("HL_COMMANDS", "$MQTT_msgs"),
        ),
        # Devices publish QoS 0 on subjects of their own choice, which only a plain subscription hears.
        subscribe=("hl.{org}.commands.>", "hl.{org}.control.edge", ">"),
        deny_subscribe=(
            "$SYS.>",
            "$JS.>",
            *(f"hl.{{org}}.{family}.>" for family in ("samples", "events", "status", "query")),
            *(f"_INBOX.{component.value}.>" for component in Component if component is not Component.EDGE),
        ),
    ),
    Component.API: _Permissions(
        publish=(
            "hl.{org}.events.>",
            "hl.{org}.status.api.>",
            "hl.{org}.commands.>",
            "hl.{org}.control.>",
            "hl.{org}.query.>",
            *_LOOK,
        ),
        subscribe=("hl.{org}.samples.>", "hl.{org}.events.>", "hl.{org}.status.>", "hl.{org}.control.api", "hl.{org}.plans.*"),
    ),
    Component.CLI: _Permissions(
        publish=("hl.{org}.control.>", "hl.{org}.query.>", *_LOOK),
        subscribe=("hl.{org}.events.>", "hl.{org}.status.>"),
    ),
    Component.MONITOR: _Permissions(publish=("$SYS.REQ.>",), subscribe=()),
}
"""What each component may publish and hear, besides its own inbox. ``{org}`` is the escaped organisation."""


class SpineAccounts:
    """The credentials of the components, made at the first start and kept in ``secrets`` (mode 0600, one file each).

    Everything the edge may publish to devices is what some device may hear, so that it, too, is given from one place.
    """

    def __init__(
        self,
        directory: Path,
        organisation: str,
        devices: Callable[[], Sequence[SpineUser]] = tuple,
        edges: Callable[[], Sequence[SpineUser]] = tuple,
    ) -> None:
        self._directory = private_files.private_directory(directory)
        self._organisation = escape(organisation)
        self._devices = devices
        self._edges = edges

    def password(self, component: Component | str) -> str:
        """What ``component`` shows the spine."""
        return self._credential(Component(component)).password

    def users(self) -> list[SpineUser]:
        """Everybody the spine admits: components, enabled devices, approved edge nodes."""
        devices = list(self._devices())
        heard = _heard(devices)
        return [*(self._user(component, heard) for component in Component), *devices, *self._edges()]

    def edge_node_users(self, name: str, devices: Sequence[SpineUser] = ()) -> list[SpineUser]:
        """Everybody whom the spine of the edge node ``name`` admits: its own components, and ``devices``.

        The edge's account has the node's name in it, because its inbox must be one of its own at the centre too.
        """
        edge = self._user(Component.EDGE, _heard(devices))
        plain, own = f"{inbox_prefix(Component.EDGE)}.>", f"{inbox_prefix(edge_account(name))}.>"
        root = f"hl.{self._organisation}"
        edge = msgspec.structs.replace(
            edge,
            name=edge_account(name),
            publish=(
                *edge.publish,
                f"{root}.status.edges.{escape(name)}",
                f"{root}.plans.{escape(name)}",
                f"{inbox_prefix('api')}.>",
            ),
            subscribe=(
                *(subject for subject in edge.subscribe if subject != plain),
                own,
                f"{root}.control.edge.{escape(name)}",
            ),
        )
        return [edge, *(self._user(component, ()) for component in (Component.SUPERVISOR, Component.MONITOR)), *devices]

    def _user(self, component: Component, heard: tuple[str, ...]) -> SpineUser:
        table = _TABLE[component]
        publish = tuple(subject.replace("{org}", self._organisation) for subject in table.publish)
        subscribe = tuple(subject.replace("{org}", self._organisation) for subject in table.subscribe)
        return SpineUser(
            name=component.value,
            password_hash=self._credential(component).hash,
            publish=publish + heard if component is Component.EDGE else publish,
            subscribe=(*subscribe, f"{inbox_prefix(component)}.>"),
            deny_subscribe=tuple(subject.replace("{org}", self._organisation) for subject in table.deny_subscribe),
            responses=component is not Component.MONITOR,
            system=component is Component.MONITOR,
        )

    def _credential(self, component: Component) -> _Credential:
        path = self._directory / f"spine-{component.value}.json"
        content = private_files.read(path)
        if content is None:
            password = secrets.token_urlsafe(32)
            made = _Credential(password, bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode())
            content = private_files.create_once(path, msgspec.json.encode(made))
        try:
            return msgspec.json.decode(content, type=_Credential)
        except msgspec.DecodeError as error:
            raise KeyStoreError(
                "the component's credential is damaged", place=str(path), hint="delete the file and restart the platform"
            ) from error


def _heard(devices: Sequence[SpineUser]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(subject for device in devices for subject in device.subscribe if not subject.startswith("$")))


def inbox_prefix(component: Component | str) -> str:
    """Where answers to ``component`` arrive; no other can listen there."""
    return f"_INBOX.{escape(str(component))}"


def edge_account(name: str) -> str:
    """The user name of an edge node on the spine; no component and no device can be called so."""
    return f"edge~{name}"
