"""The commands, against a node as assembly builds it, whose reports go to an http-push connector of the edge."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time

import anyio
import pytest
from active_nodes import blocking
from cryptography import x509
from free_ports import free_port
from mqtt_support import RecordingSink

from hulian.assembly.active import PushSink, samples_of
from hulian.assembly.configuration import Configuration
from hulian.assembly.identifier_files import root_data, root_file
from hulian.assembly.identifiers import identifier_node
from hulian.assembly.preparation import open_registry, open_trust
from hulian.cli import app
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.http import protocol
from hulian.network.exchange.protocols.http.config import HttpConfiguration
from hulian.network.identifiers.active.errors import DeliveryError, RefusedReportError
from hulian.network.identifiers.active.messages import Item, Report
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.bodies import ResolveRequest

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


def typed(capsys, *words: str):
    """What the command prints as JSON; the node in this process logs to the same place."""
    capsys.readouterr()
    app([*words, "--json"], result_action="return_value")
    out = capsys.readouterr().out
    return json.JSONDecoder().raw_decode(out, re.search(r"^[\[{]", out, re.MULTILINE).start())[0]


def until_listens(port: int) -> None:
    ends = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), 1).close()
        assert time.monotonic() < ends, "nobody listens"
        time.sleep(0.02)


async def test_from_a_list_to_the_edge(tmp_path, capsys, monkeypatch):
    from hulian.kernel.configuration import load

    port, push = free_port(), free_port()
    monkeypatch.setenv("PUSH_TOKEN", "s3cret")
    monkeypatch.setenv("CARRIER_PASSPHRASE", "open sesame")
    (tmp_path / "hulian.toml").write_text(
        f"""[node]
data = "{tmp_path}/data"
[identifiers]
port = {free_port()}
rest_port = 0
[identifiers.active]
port = {port}
push = "http://127.0.0.1:{push}"
push_token = "env:PUSH_TOKEN"
"""
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "carriers.csv").write_text("serial,terminal,owner\n0001,module,Works 1\n0002,UICC,Works 1\n")
    line = ["active", "provision", "carriers.csv", "--reservation", "99.118.8/ACT-", "--passphrase", "env:CARRIER_PASSPHRASE"]
    made = await blocking(typed, capsys, *line)
    assert [one["serial"] for one in made] == ["0001", "0002"]

    configuration = load(tmp_path / "hulian.toml", Configuration)
    sink, registry = RecordingSink(), open_registry(configuration)
    stream = "99.118.8/ACT-0001"
    bindings = [
        Binding(series=1, address=f"json:{stream}:temperature", storage=StorageClass.DOUBLE),
        Binding(series=2, address=f"json:{stream}:count", storage=StorageClass.INTEGER),
    ]
    environment = Environment(
        organisation="plant",
        connector="push",
        credentials=Credentials(password="s3cret"),
        trust=None,
        directory=tmp_path / "push",
    )
    connector = protocol.connector(f"http-push://127.0.0.1:{push}", HttpConfiguration(), bindings, environment)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, sink)
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
        await group.start(identifier_node(configuration, registry).run)
        line = ["active", "simulate", "carriers/0001", "--reports", "3", "--passphrase", "env:CARRIER_PASSPHRASE"]
        await blocking(until_listens, port)  # the carriers' listener comes a moment after the node
        told = await blocking(typed, capsys, *line)
        assert told["identifier"] == stream
        await sink.until(lambda: sum(len(columns) for columns in sink.columns) >= 2 * told["reports"][-1])
        counts = [value for columns in sink.columns if columns.series[0] == 2 for value in columns.value.to_pylist()]
        assert sorted(set(counts)) == [0, 1, 2]
        assert len(counts) == told["reports"][-1]

        # Where its data are, as for every other thing; and the catalogue's own records leave this one alone.
        follow = Follow(root_data(root_file(configuration)), Client())
        values = {value.type: value.data for value in (await follow.resolve(ResolveRequest(stream))).values}
        assert values["HULIAN.DATA"].endswith(b"/api/v1/points?thing=99.118.8%2FACT-0001")

        (tmp_path / "settings.json").write_text('{"interval_s": 5}')
        assert (await blocking(typed, capsys, "active", "update", stream, "settings.json"))["contents"] == 2
        line[4] = "1"
        assert (await blocking(typed, capsys, *line))["contents"] == 2
        shown = await blocking(typed, capsys, "active", "show", "0001", "--reports")
        assert (shown["installed"], shown["settings"], shown["about"]["owner"]) == (2, {"interval_s": 5}, "Works 1")
        assert (await blocking(typed, capsys, "active", "revoke", stream))["state"] == "revoked"
        ended = await blocking(typed, capsys, "active", "revoked")
        assert sorted((one["serial"], one["reason"]) for one in ended) == [("0001", "revoked"), ("0001", "superseded")]
        kept = tmp_path / "data" / "pki" / "carriers.crl"
        await sink.until(lambda: kept.exists() and len(x509.load_pem_x509_crl(kept.read_bytes())) == 2)
        recorded = [
            (one.action, one.outcome) for one in open_trust(configuration, registry).audit.list() if "ACT" in one.principal
        ]
        assert ("carriers.enrol", "done") in recorded
        typed_here = [one for one in open_trust(configuration, registry).audit.list() if one.principal == "command line"]
        assert [(str(one.action), one.resource, one.details["did"]) for one in reversed(typed_here)][-2:] == [
            ("identifiers.write", f"identifier:{stream}", "carrier settings"),
            ("identifiers.write", f"identifier:{stream}", "carrier revoked"),
        ]
        assert "carriers provisioned" in [one.details["did"] for one in typed_here]
        listed = await blocking(typed, capsys, "active", "list")
        assert [(one["serial"], one["state"]) for one in listed] == [("0001", "revoked"), ("0002", "reserved")]
        assert [one["serial"] for one in await blocking(typed, capsys, "active", "list", "--state", "reserved")] == ["0002"]

        # The same report again, as after a cut, is stored once; and what the connector says is told apart.
        stored = sum(len(columns) for columns in sink.columns)
        report = Report(stream, 99, (Item("temperature", 0, 1.5),))
        there = PushSink(f"http://127.0.0.1:{push}", "s3cret")
        for _ in range(2):
            await there.deliver(f"{stream}/99", report, 1_700_000_000_000_000_000)
        assert sum(len(columns) for columns in sink.columns) == stored + 1
        with pytest.raises(DeliveryError, match="401"):
            await PushSink(f"http://127.0.0.1:{push}", "wrong").deliver("x", report, 1)
        with pytest.raises(DeliveryError, match="cannot be reached"):
            await PushSink(f"http://127.0.0.1:{free_port()}", "wrong").deliver("x", report, 1)
        group.cancel_scope.cancel()
    registry.close()


def test_a_report_is_json_by_moments():
    items = (Item("outlet.pressure", 5, 1.5), Item("outlet.flow", 5, 2), Item("state", 0, None))
    assert samples_of(Report("x", 1, items), 9) == [
        {"timestamp": 5, "outlet": {"pressure": 1.5, "flow": 2}},
        {"timestamp": 9, "state": None},
    ]
    for wrong in ((Item("a", 1, 1), Item("a", 1, 2)), (Item("a", 1, 1), Item("a.b", 1, 2)), (Item("timestamp", 1, 1),)):
        with pytest.raises(RefusedReportError):
            samples_of(Report("x", 1, wrong), 9)
