"""A small country of identifier nodes on this machine: every tier, each node a process with its own store.

international root ── five national nodes (88: one primary, four mirrors) ── two second-level nodes ── three enterprises; and a
recursive node that knows the root alone. All is private: ports on loopback, a root of its own, keys made here.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from hulian.assembly.configuration import Configuration
from hulian.assembly.identifier_files import root_data, root_file
from hulian.assembly.identifier_key import own_key
from hulian.kernel.configuration import load
from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.beginning import ADMIN, KEY, SITE, admin_value, key_value, node_key, site_value
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire.authentication import KeyIdentity, signer_for
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value
from hulian.platform.infrastructure.process import ProcessSpec
from hulian.platform.infrastructure.supervisor import Stage

__all__ = ["NODES", "Country", "Node"]

_HOST: Final = "127.0.0.1"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node: its ``place`` among the ports, and the node ``above`` that it is registered at."""

    name: str
    role: str
    place: int
    prefix: str = ""
    above: str = ""
    mirror: int = 0


NODES: Final = (
    Node(name="international", role="root", place=0),
    Node(name="national-1", role="top-level", place=1, prefix="88", above="international"),
    *(
        Node(name=f"national-{number}", role="top-level", place=number, prefix="88", above="international", mirror=number)
        for number in range(2, 6)
    ),
    Node(name="machinery", role="second-level", place=6, prefix="88.111", above="national-1"),
    Node(name="chemistry", role="second-level", place=7, prefix="88.222", above="national-1"),
    Node(name="pumps", role="enterprise", place=8, prefix="88.111.1", above="machinery"),
    Node(name="drives", role="enterprise", place=9, prefix="88.111.2", above="machinery"),
    Node(name="paints", role="enterprise", place=10, prefix="88.222.1", above="chemistry"),
    Node(name="recursive", role="recursive", place=11),
)
_STAGES: Final = (
    ("international",),
    ("national-1",),
    ("national-2", "national-3", "national-4", "national-5", "machinery", "chemistry"),
    ("pumps", "drives", "paints", "recursive"),
)


class Country:
    """The nodes in ``directory``, at ``port`` and the eleven ports behind it. What is there from before is used again."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory.absolute()
        self._port = port
        self._nodes = {node.name: node for node in NODES}

    def port(self, name: str) -> int:
        """Where a node listens."""
        return self._port + self._nodes[name].place

    def configuration_file(self, name: str) -> Path:
        """The file that a node runs by."""
        return self.directory / name / "hulian.toml"

    def configuration(self, name: str) -> Configuration:
        """What it runs by."""
        return load(self.configuration_file(name), Configuration)

    @property
    def root(self) -> Path:
        """The root data, all that a client needs to know."""
        return root_file(self.configuration("international"))

    def prepare(self) -> None:
        """Writes the configuration of each node."""
        for node in NODES:
            path = self.configuration_file(node.name)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(_text(node, self._port + node.place, self.directory), encoding="utf-8")

    def stages(self) -> Sequence[Stage]:
        """Tier by tier: before one starts, it is registered at the one above."""
        before: dict[int, Callable[[], Awaitable[None]]] = {
            1: self._register_nation,
            2: self._register_below_nation,
            3: self._register_enterprises,
        }
        return [
            Stage(processes=[self._process(name) for name in names], before=before.get(place))
            for place, names in enumerate(_STAGES)
        ]

    def _process(self, name: str) -> ProcessSpec:
        command = [sys.executable, "-m", "hulian", "up", "identifiers", "--config", str(self.configuration_file(name))]
        return ProcessSpec(name=name, command=command)

    # -- who stands below whom -----------------------------------------------------------------------------------------

    def administer(self, name: str) -> Administer:
        """Changes records with the key of a node."""
        node, key = self._nodes[name], own_key(self.configuration(name))
        who = node_key(node.prefix or "0.NA")
        return Administer(self.follow(), connection, KeyIdentity(who.handle, who.index, signer_for(key)))

    def follow(self) -> Follow:
        """A client that knows the root data and nothing else."""
        return Follow(root_data(self.root), Client())

    async def _register_nation(self) -> None:
        nodes = [node for node in NODES if node.prefix == "88"]
        sites: list[Value] = []
        for place, node in enumerate(nodes):
            made = site_value(_HOST, self.port(node.name), own_key(self.configuration(node.name)))
            site = msgspec.structs.replace(Site.unpack(made.data), flags=0 if node.mirror else 0x80).pack()
            sites += [
                msgspec.structs.replace(made, index=SITE + place, data=site),
                msgspec.structs.replace(made, index=SITE + 10 + place, type="HS_SITE.PREFIX", data=site),
            ]
        await self._register("international", "national-1", sites)

    async def _register_below_nation(self) -> None:
        async with self.administer("national-1") as nation:
            for node in NODES:
                if node.mirror:
                    key = own_key(self.configuration(node.name))
                    await nation.create(f"88/SITE{node.mirror}", [key_value(key)], overwrite=True)
        for name in ("machinery", "chemistry"):
            await self._register("national-1", name, self._sites(name, delegating=True))

    async def _register_enterprises(self) -> None:
        for name in ("pumps", "drives", "paints"):
            await self._register(self._nodes[name].above, name, self._sites(name, delegating=False))

    def _sites(self, name: str, *, delegating: bool) -> list[Value]:
        own = site_value(_HOST, self.port(name), own_key(self.configuration(name)))
        below = [msgspec.structs.replace(own, index=SITE + 10, type="HS_SITE.PREFIX")] if delegating else []
        return [own, *below]

    async def _register(self, above: str, name: str, sites: Sequence[Value]) -> None:
        node = self._nodes[name]
        key = key_value(own_key(self.configuration(name)), index=KEY)
        async with self.administer(above) as by:
            values = [*sites, admin_value(node_key(node.prefix), index=ADMIN), key]
            await by.create(f"0.NA/{node.prefix}", values, overwrite=True)


def _text(node: Node, port: int, directory: Path) -> str:
    settings: dict[str, Any] = {"role": node.role, "port": port, "rest_port": 0, "publish": "nothing"}
    if node.prefix:
        settings["prefixes"] = [node.prefix]
    if node.role != "root":
        settings["root"] = str(directory / "international" / "data" / "identifiers" / "root_info")
    if node.name == "national-1":
        settings["mirrors"] = [f"300:88/SITE{other.mirror}" for other in NODES if other.mirror]
    if node.mirror:
        settings |= {"mirror_as": f"300:88/SITE{node.mirror}", "mirror_s": 1.0, "administrators": ["300:0.NA/88"]}
    lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in settings.items()]
    own = msgspec.json.encode(str(directory / node.name / "data")).decode()
    return "\n".join(
        [f"# {node.name}: made by 'hulian identifiers demo'", "[node]", f"data = {own}", "", "[identifiers]", *lines, ""]
    )
