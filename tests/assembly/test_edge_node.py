"""What an edge node takes over of an order for itself: its next certificate."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from cryptography import x509

from hulian.assembly.configuration import Configuration
from hulian.assembly.edge_node import Applicant, adopt, spine_of
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
    configuration = msgspec.convert({"node": {"data": str(data)}}, Configuration)

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
