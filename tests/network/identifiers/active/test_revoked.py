"""Certificates that are good no more are listed for whoever verifies them elsewhere, as OpenSSL and the standard have it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio
import pytest
from active_nodes import Works, blocking
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hulian.assembly.active import keep_list
from hulian.network.identifiers.active.certificates import CarrierAuthority
from hulian.network.identifiers.active.device.bodies import Item

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


def first(works: Works, serial: str) -> x509.Certificate:
    pem = works.carrier(serial)._state["bootstrap"]["certificate"]
    return x509.load_pem_x509_certificate(pem.encode())


def now(works: Works, serial: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(works.carriers.find(serial).certificate.encode())


def accepted(works: Works, certificate: x509.Certificate, crl: bytes) -> bool:
    """Whether OpenSSL takes the certificate, with the list at hand."""
    files = {name: works.directory / f"{name}.pem" for name in ("root", "crl", "leaf")}
    files["root"].write_bytes(works.authority.certificate)
    files["crl"].write_bytes(crl)
    files["leaf"].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    command = ["openssl", "verify", "-crl_check", "-CAfile", files["root"], "-CRLfile", files["crl"], files["leaf"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "certificate revoked" in done.stderr + done.stdout, done.stderr
    return done.returncode == 0


async def test_revoked_and_superseded_certificates_are_refused_by_others(works):
    works.provision("a", "b", "c")
    a, b = works.carrier("a"), works.carrier("b")
    for carrier in (a, b):
        await blocking(carrier.enrol)
    crl = works.authority.revocation_list(works.carriers.revoked())
    assert [accepted(works, first(works, serial), crl) for serial in "abc"] == [False, False, True]
    assert [accepted(works, now(works, serial), crl) for serial in "ab"] == [True, True]

    before = now(works, "a")
    await blocking(a.rekey)
    works.carriers.revoke("b", works.authority.number(works.carriers.find("b").certificate.encode()))
    works.carriers.revoke("c")
    crl = works.authority.revocation_list(works.carriers.revoked())
    assert not accepted(works, before, crl)
    assert accepted(works, now(works, "a"), crl)
    assert not accepted(works, now(works, "b"), crl)
    assert not accepted(works, first(works, "c"), crl), "one that was never enrolled"
    listed = x509.load_pem_x509_crl(crl)
    assert listed.is_signature_valid(works.authority._root.public_key())
    entry = listed.get_revoked_certificate_by_serial_number(before.serial_number)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.superseded
    # The node still takes what a carrier of it says that goes on with its newest key.
    a.report([Item("x", 1)])
    assert len(await blocking(a.deliver)) == 1


async def test_keys_of_every_kind_and_other_authorities(works, tmp_path):
    works.provision("s", "r")
    for serial, kind in (("s", "SM2"), ("r", "RSA")):
        await blocking(works.carrier(serial).enrol, kind)
        number = works.authority.number(works.carriers.find(serial).certificate.encode())
        works.carriers.revoke(serial, number)
        assert (number, serial) in {(one.number, one.serial) for one in works.carriers.revoked()}
    foreign = CarrierAuthority(tmp_path / "foreign.pem", "Test")
    assert works.authority.number(foreign.issue("x", first(works, "s").public_key())) == ""
    assert works.authority.number(b"nonsense") == ""


async def test_a_certificate_of_before_the_list_is_written_down_when_it_ends(works):
    """The table is newer than the carriers of an installation may be."""
    works.provision("old")
    carrier = works.carrier("old")
    await blocking(carrier.enrol)
    forgotten = now(works, "old")
    with works.registry.write() as connection:
        connection.exec_driver_sql("DELETE FROM identifier_carrier_certificate")
    await blocking(carrier.rekey)
    crl = works.authority.revocation_list(works.carriers.revoked())
    assert not accepted(works, forgotten, crl)
    assert accepted(works, now(works, "old"), crl)


async def test_the_file_follows_every_change(works):
    works.provision("a", "b")
    path: Path = works.directory / "carriers.crl"

    def listed() -> int:
        return len(x509.load_pem_x509_crl(path.read_bytes())) if path.exists() else -1

    async with anyio.create_task_group() as group:
        group.start_soon(keep_list, path, works.carriers, works.authority)
        await works.until(lambda: listed() == 0)
        works.carriers.revoke("a")
        await works.until(lambda: listed() == 1)
        path.unlink()
        works.carriers.revoke("b")
        await works.until(lambda: listed() == 2)
        group.cancel_scope.cancel()
