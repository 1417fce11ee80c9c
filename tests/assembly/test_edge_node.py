"""The certificates of an edge node: the one it shows the centre comes with an order, the one that devices see it makes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import anyio
import anyio.to_thread
import msgspec
import pytest
from cryptography import x509
from nats_node import free_port

from hulian.assembly import components
from hulian.assembly.configuration import Configuration
from hulian.assembly.edge_node import Applicant, adopt, prepare_node, spine_of
from hulian.network.exchange.spine.server import wait_ready
from hulian.platform.edge.plans import Order
from hulian.trust import CertificateAuthority, EnrolmentError, edge_account


@pytest.fixture
def reloads():
    """Counts how often the node's spine was asked to read its files anew."""
    came: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: came.append(number))
    yield came
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def node(tmp_path):
    data = tmp_path / "node"
    applicant = Applicant(data, "press")
    request, _ = applicant.request()
    (data / "spine").mkdir()
    (data / "spine" / "nats.pid").write_text(str(os.getpid()))
    spine = {"port": free_port(), "mqtt_port": free_port(), "mqtt_tls": {}}
    configuration = msgspec.convert({"node": {"data": str(data)}, "spine": spine}, Configuration)

    def issued(later: timedelta = timedelta(), authority: str = "authority") -> str:
        made = CertificateAuthority(tmp_path / authority, "plant", clock=lambda: datetime.now(UTC) + later)
        return made.client_certificate(request, edge_account("press"))[0]

    def kept(name: str = "certificate") -> str:
        return (data / "pki" / "node" / f"{name}.pem").read_text()

    first = issued()
    root = first[first.rindex("-----BEGIN") :]
    admission = SimpleNamespace(certificate=first, authority=root, organisation="plant", leaf_port=7422, orders="00")
    enrolled = applicant.admitted("https://centre.example", admission)
    spine_of(configuration, enrolled).prepare()
    return SimpleNamespace(configuration=configuration, node=enrolled, issued=issued, kept=kept, first=first)


def ordered(certificate: str) -> Order:
    return Order(connectors=(), certificate=certificate)


def test_a_later_certificate_is_shown_from_now_on_and_an_older_one_never_again(node, reloads):
    later = node.issued(timedelta(days=400))
    adopt(node.configuration, node.node, ordered(later))
    assert node.kept() == later
    assert len(reloads) == 1
    for order in (ordered(later), ordered(node.first), ordered("")):
        adopt(node.configuration, node.node, order)
    assert node.kept() == later
    assert len(reloads) == 1


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_the_certificate_that_devices_see_is_renewed_while_the_node_runs_alone(node, monkeypatch):
    """Each is valid for twelve seconds; over three of them no strict client is ever turned away."""
    monkeypatch.setattr("hulian.trust.certificates._LIFETIME", timedelta(seconds=12))
    monkeypatch.setattr("hulian.trust.certificates._RENEW", timedelta(seconds=6))
    configuration, data = node.configuration, Path(node.configuration.node.data)
    shutil.rmtree(data / "pki" / "authority")
    made = prepare_node(configuration, node.node)
    context = ssl.create_default_context(cafile=data / "pki" / "authority" / "root.pem")

    def strictly() -> bytes:
        plain = socket.create_connection(("127.0.0.1", configuration.spine.mqtt_port), 10)
        with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            return secure.getpeercert(binary_form=True)

    with (data / "nats.log").open("ab") as log, subprocess.Popen(made["spine_command"], stdout=log, stderr=log) as process:
        try:
            await wait_ready(spine_of(configuration, node.node).plain.url, "supervisor", made["spine_password"])
            async with AsyncExitStack() as stack, anyio.create_task_group() as group:
                await group.start((await components._edge_node(configuration, stack, node.node)).run)
                seen: set[bytes] = set()
                with anyio.fail_after(90):
                    while len(seen) < 3:
                        seen.add(await anyio.to_thread.run_sync(strictly))
                        await anyio.sleep(0.1)
                group.cancel_scope.cancel()
        finally:
            process.terminate()


def test_a_new_root_comes_with_it(node, reloads):
    other = node.issued(timedelta(days=400), authority="another")
    adopt(node.configuration, node.node, ordered(other))
    assert other.endswith(node.kept("authority"))
    assert not node.first.endswith(node.kept("authority"))


def test_a_certificate_of_another_node_or_none_at_all_changes_nothing(node, reloads, tmp_path):
    stranger, _ = Applicant(tmp_path / "other", "press").request()
    authority = CertificateAuthority(tmp_path / "authority", "plant", clock=lambda: datetime.now(UTC) + timedelta(days=400))
    foreign, _ = authority.client_certificate(stranger, edge_account("press"))
    for wrong in (foreign, "no certificate", foreign[:500]):
        with pytest.raises(EnrolmentError):
            adopt(node.configuration, node.node, ordered(wrong))
    assert node.kept() == node.first
    assert x509.load_pem_x509_certificate(node.kept().encode())
    assert not reloads
