"""The HTTP face as a part of the component: it comes after the node is ready, and never takes it down."""

from __future__ import annotations

import contextlib
import socket
import ssl

import anyio
import httpx
import pytest
from free_ports import free_port
from identifier_nodes import asked, question, text
from rest_nodes import SECRET, USER, basic

from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.registry import Registry
from hulian.trust import CertificateAuthority

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


def service(directory, **settings) -> NodeService:
    store = RecordStore(Registry.open(directory / "node.db"))
    store.home("88.111.1")
    store.create(USER.handle, [text("HS_SECKEY", SECRET, USER.index, permissions=12)])
    authority = CertificateAuthority(directory / "ca", "Test")

    def files():
        found = authority.server_certificate([], "identifiers")
        return found.certificate, found.key

    configuration = IdentifiersConfiguration(port=0, role=Role.ENTERPRISE, **settings)
    return NodeService(configuration, store, administrators=[USER], certificate=files)


class At:
    """What `asked` needs to know of a node."""

    def __init__(self, node: NodeService) -> None:
        self.ports = {"node": node.listener.port}


async def until(condition) -> None:
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.02)


async def test_http_and_https_stand_beside_the_protocol(tmp_path):
    node = service(tmp_path, rest_port=free_port())
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        await until(lambda: node.rest_port)
        context = ssl.create_default_context(cafile=str(tmp_path / "ca" / "root.pem"))
        async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{node.rest_port}", verify=context) as client:
            made = await client.put(
                "/api/handles/88.111.1/x", json={"index": 1, "type": "URL", "data": "https://example.com"}, auth=basic()
            )
            assert made.status_code == 201
            ports = [one["port"] for one in (await client.get("/api/site")).json()["data"]["value"]["servers"][0]["interfaces"]]
            assert ports == [node.listener.port, node.listener.port, node.rest_port]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.rest_port}") as client:
            assert (await client.get("/88.111.1/x")).json()["responseCode"] == 1
        answer = await asked(At(node), "node", question("88.111.1/x"))
        assert answer.response_code == ResponseCode.SUCCESS
        group.cancel_scope.cancel()


async def test_a_port_that_is_taken_takes_nothing_else_down(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        node = service(tmp_path, rest_port=taken.getsockname()[1])
        async with anyio.create_task_group() as group:
            await group.start(node.run)
            await until(lambda: node.rest_failed)
            answer = await asked(At(node), "node", question("88.111.1/none"))
            assert answer.response_code == ResponseCode.HANDLE_NOT_FOUND
            group.cancel_scope.cancel()


async def test_a_certificate_without_its_key_is_named(tmp_path):
    node = service(tmp_path, rest_port=free_port(), rest_certificate="chain.pem")
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        await until(lambda: node.rest_failed)
        assert "belong together" in node.rest_failed
        group.cancel_scope.cancel()


async def test_connections_that_say_nothing_or_nonsense_harm_no_other(tmp_path):
    node = service(tmp_path, rest_port=free_port(), rest_tls=False)
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        await until(lambda: node.rest_port)
        silent = [await anyio.connect_tcp("127.0.0.1", node.rest_port) for _ in range(20)]
        for nonsense in (b"\x16\x03\x01\x02\x00\x01", b"\0\0\0\0", b"GET / HTTP/9.9\r\n\r\n", b"x" * 50_000):
            async with await anyio.connect_tcp("127.0.0.1", node.rest_port) as stream:
                await stream.send(nonsense)
                with anyio.fail_after(60):
                    with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                        while await stream.receive():
                            pass
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.rest_port}") as client:
            assert (await client.get("/88.111.1/none")).status_code == 404
        for stream in silent:
            await stream.aclose()
        group.cancel_scope.cancel()
