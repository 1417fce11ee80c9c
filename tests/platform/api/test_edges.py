"""Edge nodes over the API: invitations that are listed and withdrawn, how a node stands, and what it may be asked."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from litestar.testing import TestClient

from hulian.platform.api.application import build_application, context_of

HASH = "$2b$04$FSE/7NeId862Z9QXZmtZ2OmHNsGeK6x4FSVhSOURvXvwKeV.sWS2m"


@pytest.fixture
def served(stack):
    """The same platform, where nodes can reach it; called by a program of an administrator."""
    application = build_application(replace(stack.dependencies, leaf_port=7422))
    with TestClient(application, base_url="http://127.0.0.1/api/v1") as client:
        client.headers["authorization"] = f"Bearer {stack.token('read', 'configure')}"
        yield client


@pytest.fixture
def asked(stack):
    """A node that waits for a person."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    secret = stack.trust.edges.invite("press hall", by="test").secret
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    stack.trust.edges.enrol(secret, "press", pem, HASH, source="192.0.2.9")
    yield "press"
    stack.trust.edges.remove("press", by="test")


def test_an_invitation_is_listed_without_its_secret_and_withdrawn(stack, served):
    made = served.post("/edges/invitations", json={"label": "hall 3", "hours": 2}).json()
    (listed,) = served.get("/edges/invitations").json()["items"]
    assert listed["id"] == made["id"]
    assert (listed["label"], listed["expires_ms"]) == ("hall 3", made["expires_ms"])
    assert listed["expires_ms"] - listed["created_ms"] == pytest.approx(2 * 3600 * 1000, abs=1)
    assert listed.keys() == {"id", "label", "created_ms", "expires_ms"}
    assert made["id"] not in made["secret"]
    assert served.delete("/edges/invitations/ffff").status_code == 404
    assert served.delete(f"/edges/invitations/{made['id']}").status_code == 204
    assert served.get("/edges/invitations").json()["items"] == []
    assert served.delete(f"/edges/invitations/{made['id']}").status_code == 404
    body = {"invitation": made["secret"], "name": "mill", "request": "", "password_hash": HASH}
    assert served.post("/enrolments", json=body).json()["code"] == "HL-TRUST-0016"
    with stack.browser() as client:
        trail = client.get("/audit", params={"action": "edges.write"}).json()["items"]
    assert [item["details"]["did"] for item in trail[:2]] == ["withdrawn", "invited"]
    assert trail[0]["details"]["label"] == "hall 3"


def test_where_nodes_are_not_served_the_list_and_the_refusal_say_what_to_do(stack):
    with stack.browser() as client:
        page = client.get("/edges").json()
        refused = client.post("/edges/invitations", json={"label": "hall 3"})
        assert refused.status_code == 409
        assert page["served"] is False
        assert page["hint"] == refused.json()["hint"]
        assert "leaf_port" in page["hint"]


def test_a_node_shows_the_order_that_there_is_and_when_it_was_heard_of(stack, served, asked):
    def node(client) -> dict:
        (found,) = client.get("/edges").json()["items"]
        return found

    assert served.get("/edges").json()["served"] is True
    known = node(served)
    assert (known["state"], known["ordered"], known["heard_ms"], known["status"]) == ("waiting", 0, None, None)
    stack.catalogue.plan_version("press", b"one")
    stack.catalogue.plan_version("press", b"two")
    stack.catalogue.plan_version("press", b"two")
    assert node(served)["ordered"] == 2

    status = {"version": 1, "on_trial": False, "refused": 2, "reason": "refused: tank", "connectors": 1}
    context_of(served.app).board._hear("hl.plant.status.edges.press", msgspec.json.encode(status))
    heard = node(served)
    assert heard["heard_ms"] > known["created_ms"]
    assert heard["status"] == status


def test_only_an_approved_node_looks_at_a_device(stack, served, asked):
    unknown = served.post("/browse", json={"url": "modbus://plc:502", "edge": "nobody"})
    assert unknown.status_code == 404
    waiting = served.post("/browse", json={"url": "modbus://plc:502", "edge": asked})
    assert (waiting.status_code, waiting.json()["place"]) == (409, "$.edge")


def test_a_certificate_says_which_node_met_the_device(stack):
    certificate, _ = stack.trust.peers.own("urn:plant:lathe")
    device = "lathe at opc.tcp://10.0.0.3:4840"
    for edge in ("press", "", "mill"):
        stack.trust.peers.check(certificate, peer=device, edge=edge)
        with stack.browser() as client:
            (shown,) = client.get("/certificates").json()["items"]
            assert (shown["edge"], shown["peer"]) == (edge, device)
    with stack.browser() as client:
        assert client.delete(f"/certificates/{shown['thumbprint']}").status_code == 204
