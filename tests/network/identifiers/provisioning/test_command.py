"""``hulian identifiers apply`` and the others, beside a second-level node that runs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import anyio.to_thread
import pytest
from applicants import applicant_key, office
from cryptography.hazmat.primitives import serialization
from identifier_nodes import _migrated, private_key

from hulian.cli import main
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.values import unpack_values
from hulian.trust.certificates import CertificateAuthority

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


def command(*arguments: str) -> int:
    try:
        main(["identifiers", *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def write_key(path: Path, key) -> Path:
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return path


async def test_a_prefix_is_applied_for_and_given_out(plant, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    pumps, valves = (write_key(tmp_path / f"{name}.pem", applicant_key(name)) for name in ("pumps", "valves"))
    second = write_key(tmp_path / "second.pem", private_key())
    authority = CertificateAuthority(tmp_path / "ca", "Test")
    (tmp_path / "root.pem").write_bytes(authority.root_pem())

    def files() -> tuple[Path, Path]:
        issued = authority.server_certificate(["127.0.0.1"])
        return issued.certificate, issued.key

    async with office(plant, certificate=files) as at:
        secure = ("--node", at.url.replace("http:", "https:"))
        applicant = ("--key", str(pumps), "--node", at.url)
        reviewer = ("--as", "300:0.NA/88.111", "--key", str(second), "--node", at.url)

        async def hulian(*arguments: str) -> tuple[int, str, str]:
            capfd.readouterr()
            code = await anyio.to_thread.run_sync(lambda: command(*arguments))
            said = capfd.readouterr()
            return code, said.out, said.err

        code, sample, _ = await hulian("apply", "--sample")
        Path("pumps.json").write_text(sample)
        code, _, error = await hulian("apply", "pumps.json", *applicant[:2], *secure)
        assert (code, "HL-ID-0811" in error, "--ca" in error) == (1, True, True), error
        code, out, error = await hulian("apply", "pumps.json", *applicant[:2], *secure, "--ca", "root.pem", "--json")
        assert (code, error) == (0, "")
        made = json.loads(out)
        identity = made["id"]
        code, out, _ = await hulian("apply", "pumps.json", *applicant)
        assert (code, identity in out, "submitted" in out) == (0, True, True)

        code, out, _ = await hulian("applications", "--state", "submitted", *reviewer, "--json")
        assert [one["id"] for one in json.loads(out)] == [identity]
        code, _, error = await hulian("ask", identity, "--reason", "more about the parts", *reviewer)
        assert (code, error) == (0, "")
        Path("better.json").write_text(sample.replace("their parts", "their shafts and seals"))
        code, out, error = await hulian("amend", identity, "better.json", *applicant)
        assert (code, out, error) == (0, "88.111.7 is submitted (revision 3)\n", "")
        code, _, error = await hulian("approve", identity, "--revision", "2", *reviewer)
        assert (code, "HL-ID-0808" in error, "Traceback" in error) == (1, True, False)
        code, out, _ = await hulian("approve", identity, "--revision", "3", *reviewer)
        assert (code, out) == (0, "88.111.7 is approved (revision 4)\n")
        code, out, _ = await hulian("applications", identity, "--applicant", *applicant)
        assert code == 0
        assert all(text in out for text in ("Example Pumps Ltd.", "shafts and seals", "more about the parts", "uscc 9135"))

        code, out, error = await hulian("apply", "pumps.json", "--key", str(valves), "--signed", "valves.signed")
        assert (code, error) == (0, "")
        code, out, error = await hulian("transfer", identity, "valves.signed", "--reason", "sold", *reviewer, "--json")
        assert (code, json.loads(out)["revision"], error) == (0, 5, "")
        values = unpack_values(plant.stores["second"].packed(key_of("0.NA/88.111.7")))
        keys = [PublicKey.unpack(value.data).usable() for value in values if value.type == "HS_PUBKEY"]
        assert keys == [applicant_key("valves").public_key()]
        code, _, error = await hulian("applications", identity, "--applicant", *applicant)
        assert code == 1, "the key that it was applied with is nobody's any more"
        for action in ("suspend", "resume", "revoke"):
            code, out, error = await hulian(action, identity, "--reason", "a test", *reviewer)
            assert (code, error) == (0, "")
        assert plant.stores["second"].packed(key_of("0.NA/88.111.7")) is None

        Path("broken.json").write_text(sample.replace("Y43", "Y44"))
        for arguments, told in (
            (("apply", "nowhere.json", *applicant), "cannot read"),
            (("apply", "broken.json", *applicant), "its check character would be 3"),
            (("transfer", identity, "pumps.json", "--reason", "x", *reviewer), "--signed"),
            (("applications", "--applicant", *applicant), "goes with the id"),
        ):
            code, out, error = await hulian(*arguments)
            assert (code, out) == (1, ""), arguments
            assert told in error, (arguments, error)
            assert "Traceback" not in error


def test_a_login_is_made_and_removed(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hulian.toml").write_text('[node]\ndata = "data"\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "registry.db").write_bytes(_migrated())

    def hulian(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = command(*arguments)
        said = capfd.readouterr()
        return code, said.out, said.err

    assert hulian("login", "li", "--for", "300:88.111.1/ADMIN", typed="three grey herons\n")[:2] == (
        0,
        "li logs in as 300:88.111.1/ADMIN\n",
    )
    code, out, _ = hulian("logins", "--json")
    assert (code, [(one["name"], one["identity"]) for one in json.loads(out)]) == (0, [("li", "300:88.111.1/ADMIN")])
    for arguments, typed, told in (
        (("login", "li"), "", "--for"),
        (("login", "li", "--for", "88.111.1/ADMIN"), "three grey herons", "HL-ID-0810"),
        (("login", "lo", "--for", "300:88.111.1/ADMIN"), "short", "shorter"),
        (("login", "lo", "--remove"), "", "no login"),
    ):
        code, out, error = hulian(*arguments, typed=typed)
        assert (code, out, told in error, "Traceback" in error) == (1, "", True, False), error
    assert hulian("login", "li", "--remove")[:2] == (0, "li is removed\n")
    assert "No login" in hulian("logins")[1]
