"""``hulian identifiers escrow`` as it is typed, and the page that explains it."""

from __future__ import annotations

import doctest
import json
import re
import shlex
from pathlib import Path

import anyio
import pytest
from cryptography.hazmat.primitives import serialization
from escrow_exports import SM2_AGENT, agent_key, fill

from hulian.assembly.configuration import Configuration
from hulian.assembly.identifier_key import own_key
from hulian.assembly.identifiers import identifier_node
from hulian.assembly.preparation import open_registry
from hulian.cli import app, main
from hulian.kernel.configuration import load
from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.escrow import EscrowConfiguration
from hulian.network.identifiers.escrow.daily import exports_in
from hulian.network.identifiers.escrow.errors import UnfinishedRestoreError
from hulian.network.identifiers.store import Job, RecordStore

pytestmark = pytest.mark.timeout(240)
PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-escrow.md"
PEM = serialization.Encoding.PEM
CONFIGURATION = '[node]\ndata = "{}"\n[identifiers]\nrole = "enterprise"\nprefixes = ["88.111.1"]\nrest_port = 0\n'


@pytest.fixture
def hulian(tmp_path, monkeypatch, capsys):
    """The command in this process, in a folder with two configurations: (status, output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("node", "new"):
        (tmp_path / f"{name}.toml").write_text(CONFIGURATION.format(name))
    (tmp_path / "node").mkdir()

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["identifiers", "escrow", *[str(argument) for argument in arguments]])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def test_there_and_back(hulian, tmp_path):
    configuration = load(tmp_path / "node.toml", Configuration)
    registry = open_registry(configuration)
    store = fill(RecordStore(registry), 20)
    public = own_key(configuration).public_key()
    (tmp_path / "node.pem").write_bytes(public.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "agent.pem").write_bytes(SM2_AGENT.public.to_pem())
    (tmp_path / "agent.key").write_bytes(SM2_AGENT.to_pem())
    code, _, error = hulian("export", "out", "-c", "node.toml")
    assert (code, "--to names" in error) == (1, True)
    code, out, error = hulian("export", "out", "--to", "agent.pem", "--volume", 64, "-c", "node.toml", "--json")
    assert (code, error) == (0, "")
    full = json.loads(out)
    assert (full["kind"], full["items"], full["cipher"], len(full["volumes"])) == ("full", len(store), "SM4-GCM", 3)
    store.delete("88.111.1/n1")
    code, out, _ = hulian("export", "out", "--to", "agent.pem", "--since", full["folder"], "-c", "node.toml")
    assert (code, "1 changes, 1 volume(s)" in out, store.log.seal.hex() in out) == (0, True, True)
    exports = sorted(Path("out").iterdir())
    code, out, _ = hulian("verify", *exports, "-c", "node.toml")
    assert (code, out.count("88.111.1, "), "--key judges" in out) == (0, 2, True)
    code, _, error = hulian("verify", *exports, "-c", "new.toml")
    assert (code, "--signed-by" in error) == (1, True)
    both = (*exports, "--signed-by", "node.pem", "-c", "new.toml")
    code, out, _ = hulian("verify", *both, "--key", "agent.key", "--json")
    assert (code, [one["opened"] for one in json.loads(out)]) == (0, [True, True])
    assert not Path("new").exists(), "verify writes nothing"
    code, _, error = hulian("restore", *both)
    assert (code, "--key" in error) == (1, True)
    other = agent_key().private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    Path("other.key").write_bytes(other)
    code, _, error = hulian("restore", *both, "--key", "other.key", "--json")
    assert (code, json.loads(error)["error"]["code"]) == (1, "HL-ID-1004")
    code, out, _ = hulian("restore", *both, "--key", "other.key", "--key", "agent.key", "--json")
    told = json.loads(out)
    assert (code, told["records"], told["at"]) == (0, len(store), {"number": store.log.last, "seal": store.log.seal.hex()})
    restored = open_registry(load(tmp_path / "new.toml", Configuration))
    copy = RecordStore(restored)
    assert dict(copy.index.items()) == dict(store.index.items())
    registry.close()
    restored.close()


def test_a_node_that_was_restored_half_does_not_start(hulian, tmp_path):
    configuration = load(tmp_path / "node.toml", Configuration)
    registry = open_registry(configuration)
    RecordStore(registry).jobs.begin(Job(name="escrow restore", owner="escrow 1 00"))
    with pytest.raises(UnfinishedRestoreError):
        identifier_node(configuration, registry)
    registry.close()


@pytest.mark.anyio
async def test_a_running_node_exports_by_itself(hulian, tmp_path):
    (tmp_path / "agent.pem").write_bytes(SM2_AGENT.public.to_pem())
    text = CONFIGURATION.format("node") + 'port = 0\n[identifiers.escrow]\ndirectory = "out"\n'
    (tmp_path / "daily.toml").write_text(text)
    registry = open_registry(load(tmp_path / "daily.toml", Configuration))
    with pytest.raises(ConfigurationError, match="nobody could open"):
        identifier_node(load(tmp_path / "daily.toml", Configuration), registry)
    (tmp_path / "daily.toml").write_text(text + 'recipients = ["agent.pem"]\n')
    node = identifier_node(load(tmp_path / "daily.toml", Configuration), registry)
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        with anyio.fail_after(60):
            while not exports_in(tmp_path / "out"):
                await anyio.sleep(0.02)
        group.cancel_scope.cancel()
    ((_, manifest),) = exports_in(tmp_path / "out")
    assert (manifest.node, manifest.signature.by) == ("88.111.1", "300:0.NA/88.111.1")
    registry.close()


def test_the_example_runs():
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
    assert (result.failed, result.attempted > 20) == (0, True), "".join(told)


def test_every_command_and_setting_of_the_page_exists():
    text = PAGE.read_text()
    lines = [line for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(lines) >= 4
    for line in lines:
        _, bound, _ = app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
        assert bound.arguments
    named = set(re.findall(r"identifiers\.escrow\.(\w+)`", text))
    assert len(named) >= 8
    assert named <= set(EscrowConfiguration.__struct_fields__)
