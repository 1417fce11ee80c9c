"""Applicants for prefixes, and a second-level node whose HTTP face takes their applications."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from identifier_nodes import NODE_KEY, Hierarchy, identity

from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.provisioning import Proposal
from hulian.network.identifiers.transport.rest.provisioning.client import Applications
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import KeyIdentity, signer_for


def applicant_key(name: str = "pumps") -> Any:
    """A key for each name, of the kind that is made quickest."""
    return _key(name)


@cache
def _key(name: str) -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    if isinstance(key, sm2.PrivateKey):
        return key.public.to_pem().decode()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def registration(prefix: str = "88.111.7", key: Any = None, **more: Any) -> dict[str, Any]:
    """The data of an application that nothing is wrong with."""
    organisation = {
        "name": "Example Pumps Ltd. 示例泵业",
        "register": "uscc",
        "number": "91350100M000100Y43",
        "country": "CN",
        "industry": "C3441",
        "contact": {"name": "Li Hua", "email": "li.hua@pumps.example", "phone": "+86 10 1234 5678"},
    }
    made = {
        "prefix": prefix,
        "organisation": organisation | more.pop("organisation", {}),
        "purpose": "identifiers of pumps and of their parts",
        "public_key": pem(key or applicant_key()),
        "servers": [{"address": "127.0.0.1", "udp": 2641, "tcp": 2641}],
    }
    return made | more


def proposal(prefix: str = "88.111.7", key: Any = None, **more: Any) -> Proposal:
    key = key or applicant_key()
    return Proposal.sign(json.dumps(registration(prefix, key, **more), ensure_ascii=False), key)


def free_port() -> int:
    """A port that nobody listens on now, over TCP and UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        return port


class Office:
    """The HTTP face of the second-level node of a hierarchy."""

    def __init__(self, port: int, service: NodeService) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.service = service
        self.http = httpx.AsyncClient(base_url=self.url)

    def reviewer(self) -> Applications:
        """Who runs the node."""
        return Applications(self.http, identity(NODE_KEY))

    def applicant(self, handle: str = "", key: Any = None) -> Applications:
        """Somebody with a key, known by ``handle`` once they have applied."""
        return Applications(self.http, KeyIdentity(handle, 300, signer_for(key or applicant_key())) if handle else None)


@contextlib.asynccontextmanager
async def office(
    plant: Hierarchy,
    *,
    most: int = 100,
    role: Role = Role.SECOND_LEVEL,
    certificate: Callable[[], tuple[Path, Path]] | None = None,
) -> AsyncIterator[Office]:
    """The second level of ``plant`` as a component, with its HTTP face; over HTTPS as well where there is a certificate."""
    port = free_port()
    settings = IdentifiersConfiguration(role=role, port=0, rest_port=port, applications=most)
    service = NodeService(settings, plant.stores["second"], plant.root, [NODE_KEY], certificate=certificate)
    async with anyio.create_task_group() as group:
        await group.start(service.run)
        with anyio.fail_after(10):
            while not service.rest_port:
                await anyio.sleep(0.01)
        made = Office(port, service)
        async with made.http:
            yield made
        group.cancel_scope.cancel()
