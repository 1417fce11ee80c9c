"""Pushing to a real listener: every kind of body, limits, tokens, repetitions, restarts, kill -9, and Telegraf itself."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import time
import zlib

import anyio
import httpx
import intake_edge
import numpy as np
import pyarrow as pa
import pytest

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import ConnectorState
from hulian.network.exchange.protocols.http import protocol
from hulian.network.exchange.protocols.http.config import HttpConfiguration, JsonMapping
from hulian.network.exchange.protocols.http.errors import AddressError, OptionError
from hulian.network.exchange.protocols.tabular import TableMapping

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

START = 1_700_000_000 * 10**9
TEXT = {"Content-Type": "text/plain"}
JSON = {"Content-Type": "application/json"}


def rows(sink, series=1):
    return [(moment - START, value) for moment, value, status in sink.of(series) if status == 0]


def arrow(table: pa.Table, **options) -> bytes:
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return out.getvalue().to_pybytes()


async def test_line_protocol_with_every_type(bench, sink, point):
    bindings = [
        point(1, "line:cpu,host=a:usage", scale=2.0),
        point(2, "line:cpu,host=a:n", StorageClass.INTEGER),
        point(3, "line:cpu,host=a:on", StorageClass.BOOLEAN),
        point(4, "line:cpu,host=a:mode", StorageClass.TEXT),
        point(5, "line:cpu,host=a:big", StorageClass.STRUCTURE),
        point(6, "line:cpu,host=a:n"),
        point(7, "line:cpu,host=a:mode"),
    ]
    body = f'cpu,host=a usage=0.5,n=3i,on=t,mode="auto",big=18446744073709551615u {START}\ncpu,host=b usage=1 {START}\n'
    async with bench.running(sink, bindings) as client:
        answer = await client.post("/api/v2/write", content=body, params={"bucket": "x", "org": "y", "precision": "ns"})
        assert answer.status_code == 204
        assert [rows(sink, series)[0][1] for series in range(1, 7)] == [1.0, 3, True, "auto", "18446744073709551615", 3.0]
        assert [(value, status) for _, value, status in sink.of(7)] == [(None, 0x8074_0000)]
        assert sink.events[0].code == "HL-HTTP-0028"
        answer = await client.post("/write", content=f"cpu,host=a usage=3 {START // 10**9 + 1}", params={"precision": "s"})
        assert rows(sink) == [(0, 1.0), (10**9, 6.0)]
        found = [
            node async for node in protocol.browse(f"http-push://127.0.0.1:{bench.port}", None, bench.environment(), depth=0)
        ]
        assert [(node.address, node.value) for node in found if node.leaf] == [("line:cpu,host=b:usage", "1.0")]


async def test_a_partial_write_is_told_and_the_good_lines_are_stored(bench, sink, point):
    async with bench.running(sink, [point(1, "line:m:v")]) as client:
        answer = await client.post("/write", content=f"m v=1 {START}\nbroken\nm v=2 {START + 5}")
        assert answer.status_code == 400
        assert answer.json()["code"] == "HL-HTTP-0023"
        assert "partial write" in answer.json()["error"]
        assert "line 2" in answer.json()["message"]
        assert rows(sink) == [(0, 1.0), (5, 2.0)]
        answer = await client.post("/write", content="nonsense")
        assert answer.status_code == 400
        assert "no line" in answer.json()["message"]


async def test_json_as_its_mapping_says(bench, sink, point):
    mappings = (
        JsonMapping(stream="buffer", samples="data", time="t", time_format="us", quality="q"),
        JsonMapping(stream="named", name="tag", value="val"),
    )
    bindings = [
        point(1, "json:oven:zone.1.temp"),
        point(2, "json:buffer:v", StorageClass.INTEGER),
        point(3, "json:named:PT-1"),
        point(4, "json:$:x"),
        point(5, "json:oven:mode", StorageClass.TEXT),
    ]
    async with bench.running(sink, bindings, mappings=mappings) as client:
        one = {"ts": START // 10**6, "zone": [{}, {"temp": 81.5}], "mode": None}
        assert (await client.post("/push/oven", json=one)).status_code == 204
        many = {"data": [{"t": START // 1000 + n, "v": n, "q": 192 if n else 0} for n in range(3)]}
        assert (await client.post("/push/buffer", json=many)).status_code == 204
        named = [{"tag": "PT-1", "val": 2.5, "ts": "2023-11-14T22:13:20Z"}, {"tag": "other", "val": 1}, {"val": 3}]
        assert (await client.post("/push/named", json=named)).status_code == 400
        assert (await client.post("/push/oven", content=b"{not json", headers=JSON)).status_code == 400
        assert (await client.post("/push/oven", content=b"[" * 100_000, headers=JSON)).status_code == 400
    assert rows(sink) == [(0, 81.5)]
    assert [(value, status) for _, value, status in sink.of(2)] == [(0, 0x8000_0000), (1, 0), (2, 0)]
    assert rows(sink, 3) == [(0, 2.5)]
    assert [(value, status) for _, value, status in sink.of(5)] == [(None, 0x809B_0000)]


async def test_an_arrow_stream_wide_and_long(bench, sink, point):
    wide = pa.table({"time": pa.array([START, START + 1]), "a": pa.array([1.5, None]), "s": ["x", "y"]})
    bindings = [point(1, "arrow:press:a"), point(2, "arrow:press:s", StorageClass.TEXT)]
    headers = {"Content-Type": "application/vnd.apache.arrow.stream"}
    async with bench.running(sink, bindings) as client:
        for options in ({}, {"compression": "zstd"}, {"compression": "lz4"}):
            assert (await client.post("/push/press", content=arrow(wide, **options), headers=headers)).status_code == 204
        assert rows(sink) == [(0, 1.5)] * 3
        assert rows(sink, 2) == [(0, "x"), (1, "y")] * 3
        assert (await client.post("/push/press", content=arrow(wide)[:-40], headers=headers)).status_code == 400
        assert (await client.post("/push/press", content=b"ARROW1", headers=headers)).status_code == 400
    long = pa.table({"time": [START], "tag": pa.array(["PT-1"]).dictionary_encode(), "value": [2.5]})
    async with bench.running(sink, [point(1, "arrow:press:PT-1")], tables=TableMapping(layout="long")) as client:
        assert (await client.post("/push/press", content=arrow(long), headers=headers)).status_code == 204
    assert rows(sink)[-1] == (0, 2.5)


async def test_cloud_events_structured_binary_and_in_batches(bench, sink, point):
    event = {
        "specversion": "1.0", "id": "1", "source": "urn:press:1", "type": "reading", "time": "2023-11-14T22:13:20Z",
        "datacontenttype": "application/json", "data": {"force": 12.5},
    }  # fmt: skip
    encoded = {**event, "data_base64": base64.b64encode(b'{"force": 13.5}').decode()}
    del encoded["data"]
    async with bench.running(sink, [point(1, "event:urn%3Apress%3A1:reading:force")]) as client:
        structured = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
        assert (await client.post("/push", json=event, headers=structured)).status_code == 204
        batch = {"Content-Type": "application/cloudevents-batch+json"}
        assert (await client.post("/push/x", json=[event, encoded], headers=batch)).status_code == 204
        binary = {f"ce-{name}": value for name, value in event.items() if name not in ("data", "datacontenttype")}
        assert (await client.post("/push", json={"force": 14.5}, headers=binary)).status_code == 204
        assert rows(sink) == [(0, 12.5), (0, 12.5), (0, 13.5), (0, 14.5)]
        for wrong in ({**event, "id": ""}, {**event, "specversion": "0.3"}, {**event, "time": "soon"}, [event]):
            assert (await client.post("/push", json=wrong, headers=structured)).status_code == 400


async def test_compressed_bodies_within_a_bound(bench, sink, point):
    body = f"m v=1 {START}\n".encode()
    async with bench.running(sink, [point(1, "line:m:v")], body_mb=1, decoded_mb=2) as client:
        zipped = {
            "gzip": gzip.compress(body),
            "deflate": zlib.compress(body),
            "zstd": pa.Codec("zstd").compress(body, asbytes=True),
        }
        for encoding, content in zipped.items():
            answer = await client.post("/write", content=content, headers={"Content-Encoding": encoding})
            assert answer.status_code == 204, encoding
        two = gzip.compress(body) + gzip.compress(f"m v=2 {START}\n".encode())
        assert (await client.post("/write", content=two, headers={"Content-Encoding": "gzip"})).status_code == 204
        assert [value for _, value in rows(sink)] == [1.0, 1.0, 1.0, 1.0, 2.0]
        bombs = {
            "gzip": gzip.compress(b"\0" * 50_000_000),
            "deflate": zlib.compress(b"\0" * 50_000_000),
            "zstd": pa.Codec("zstd").compress(b"\0" * 50_000_000, asbytes=True),
        }
        for encoding, content in bombs.items():
            answer = await client.post("/write", content=content, headers={"Content-Encoding": encoding})
            assert (answer.status_code, answer.json()["code"]) == (413, "HL-HTTP-0024")
        for encoding, status in (("br", 415), ("gzip, gzip", 415), ("gzip", 400), ("zstd", 400)):
            answer = await client.post("/write", content=b"plain", headers={"Content-Encoding": encoding})
            assert answer.status_code == status, encoding
        cut = await client.post("/write", content=zipped["gzip"][:-6], headers={"Content-Encoding": "gzip"})
        assert cut.status_code == 400


async def test_an_arrow_bomb_is_refused_before_memory_is_taken(bench, sink, point):
    table = pa.table({"time": pa.array(np.full(4_000_000, START)), "a": pa.array(np.zeros(4_000_000))})
    content = arrow(table, compression="zstd")
    assert len(content) < 2**20
    async with bench.running(sink, [point(1, "arrow:s:a")], body_mb=1, decoded_mb=2) as client:
        answer = await client.post("/push/s", content=content, headers={"Content-Type": "application/vnd.apache.arrow.stream"})
        assert answer.status_code == 413
        assert not sink.columns


async def test_what_is_too_large_too_much_or_too_full(bench, sink, point):
    async with bench.running(sink, [point(1, "line:m:v")], body_mb=1, concurrent=2) as client:

        async def endless():
            for _ in range(40):
                yield b"x" * 65_536

        assert (await client.post("/write", content=b"x" * 1_100_000)).status_code == 413
        assert (await client.post("/write", content=endless())).status_code == 413
        sink.fill = 0.9
        answer = await client.post("/write", content=f"m v=1 {START}")
        assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "5", "HL-HTTP-0027")
        assert answer.json()["hint"]
        sink.fill = 0.0
        assert rows(sink) == []

        going = anyio.Event()

        async def slow():
            yield b"m v=1 "
            await going.wait()
            yield str(START).encode()

        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(lambda: client.post("/write", content=slow()))
            answer = None
            with anyio.fail_after(20):
                while answer is None or answer.status_code == 204:
                    answer = await client.post("/write", content=b"")
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            going.set()
        assert len(rows(sink)) == 2


async def test_who_may_push(bench, sink, point):
    bench.user = "gateway"
    async with bench.running(sink, [point(1, "line:m:v")]) as client:
        right = base64.b64encode(b"gateway:s3cret").decode()
        other = base64.b64encode(b"someone:s3cret").decode()
        for given, status in (
            ("Token s3cret", 204), ("Bearer s3cret", 204), (f"Basic {right}", 204), (f"Basic {other}", 401),
            ("Bearer s3cre", 401), ("Bearer", 401), ("", 401), ("Digest x", 401), ("Basic !!", 401),
        ):  # fmt: skip
            answer = await client.post("/write", content=f"m v=1 {START}", headers={"Authorization": given})
            assert answer.status_code == status, given
        assert answer.json()["hint"]
        assert "s3cret" not in answer.text
        assert (await client.get("/ping", headers={"Authorization": ""})).status_code == 204
        assert (await client.get("/health", headers={"Authorization": ""})).json()["status"] == "pass"
        assert (await client.post("/query", data={"q": "CREATE DATABASE x"})).json()["results"]
        assert (await client.get("/write")).status_code == 404
        assert (await client.post("/elsewhere")).status_code == 404
        assert (await client.post("/push/x", content=b"x", headers={"Content-Type": "image/png"})).status_code == 415
        assert len(rows(sink)) == 3


async def test_a_repeated_request_is_stored_once_also_after_a_restart(bench, sink, point):
    body, key = f"m v=1 {START}", {"Idempotency-Key": "a-1"}
    async with bench.running(sink, [point(1, "line:m:v")]) as client:
        assert (await client.post("/write", content=body, headers=key)).status_code == 204
        again = await client.post("/write", content=body, headers=key)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (204, "true")
        other = await client.post("/write", content=f"m v=2 {START}", headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "HL-HTTP-0025")
        partial = await client.post("/write", content=f"m v=3 {START}\nbad", headers={"Idempotency-Key": "a-2"})
        assert partial.status_code == 400
    async with bench.running(sink, [point(1, "line:m:v")]) as client:
        assert "idempotency-replayed" in (await client.post("/write", content=body, headers=key)).headers
        again = await client.post("/write", content=f"m v=3 {START}\nbad", headers={"Idempotency-Key": "a-2"})
        assert (again.status_code, again.json()) == (400, partial.json())
        assert "idempotency-replayed" in again.headers
        refused = await client.post("/write", content=b"bad", headers={"Idempotency-Key": "a-3"})
        assert refused.status_code == 400
        good = await client.post("/write", content=f"m v=4 {START}", headers={"Idempotency-Key": "a-3"})
        assert good.status_code == 204, "a request of which nothing was stored does not use its key up"
    assert [value for _, value in rows(sink)] == [1.0, 3.0, 4.0]


async def test_only_so_many_keys_are_remembered(bench, sink, point):
    async with bench.running(sink, [point(1, "line:m:v")], keys=3) as client:
        for number in range(5):
            await client.post("/write", content=f"m v={number} {START}", headers={"Idempotency-Key": str(number)})
        replayed = [
            "idempotency-replayed"
            in (await client.post("/write", content=f"m v={number} {START}", headers={"Idempotency-Key": str(number)})).headers
            for number in (4, 3, 2, 0)
        ]
        assert replayed == [True, True, True, False]


async def test_tls_with_our_own_certificate_and_with_one_of_the_configuration(bench, sink, point, tmp_path):
    from cryptography.hazmat.primitives import serialization

    from hulian.trust.peers import Peers

    bench.trust = Peers(tmp_path / "peers")
    async with bench.running(sink, [point(1, "line:m:v")], scheme="https") as client:
        assert (await client.post("/write", content=f"m v=1 {START}")).status_code == 204
        with pytest.raises(httpx.HTTPError):
            async with bench.client() as plain:
                await plain.post("/write", content=f"m v=1 {START}")
    certificate, key = bench.trust.own("urn:hulian:test")
    (tmp_path / "chain.pem").write_text(ssl.DER_cert_to_PEM_cert(certificate))
    private = serialization.load_pem_private_key(key, None)
    (tmp_path / "key.pem").write_bytes(
        private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files = {"certificate": str(tmp_path / "chain.pem"), "key": str(tmp_path / "key.pem")}
    async with bench.running(sink, [point(1, "line:m:v")], scheme="https", **files) as client:
        assert (await client.post("/write", content=f"m v=2 {START}")).status_code == 204
    assert [value for _, value in rows(sink)] == [1.0, 2.0]


async def test_a_port_that_is_taken_is_waited_for(bench, sink, point):
    with socket.socket() as other:
        other.bind(("127.0.0.1", bench.port))
        other.listen()
        connector = protocol.connector(
            f"http-push://127.0.0.1:{bench.port}",
            HttpConfiguration(reconnect_most=0.2),
            [point(1, "line:m:v")],
            bench.environment(),
        )
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, sink)
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.WAITING)
            assert sink.statuses[-1].error_code == "HL-HTTP-0010"
            other.close()
            await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)
            group.cancel_scope.cancel()


async def test_a_sender_of_a_few_bytes_a_minute_is_cut_off(bench, sink, point):
    async with bench.running(sink, [point(1, "line:m:v")], request_seconds=0.5):
        reader = await anyio.connect_tcp("127.0.0.1", bench.port)
        async with reader:
            await reader.send(b"POST /write HTTP/1.1\r\nHost: x\r\nAuthorization: Token s3cret\r\nContent-Length: 9\r\n\r\nm")
            with anyio.fail_after(10):
                async for _ in reader:
                    pass  # until it is closed


def test_nobody_listens_without_a_token_by_accident(bench):
    bench.token = ""
    with pytest.raises(OptionError):
        protocol.connector("http-push://127.0.0.1:9", HttpConfiguration(), [], bench.environment())
    with pytest.raises(OptionError):
        protocol.connector("http-push://0.0.0.0:9", HttpConfiguration(anonymous=True), [], bench.environment())
    protocol.connector("http-push://127.0.0.1:9", HttpConfiguration(anonymous=True), [], bench.environment())
    for url in (
        "http://127.0.0.1",
        "http-push://127.0.0.1/path",
        "http-push://user:pw@127.0.0.1",
        "http-push://[::1",
        "nonsense://",
    ):
        with pytest.raises(AddressError):
            protocol.connector(url, HttpConfiguration(anonymous=True), [], bench.environment())


def test_killing_the_edge_loses_nothing_acknowledged_and_doubles_nothing(tmp_path, ports):
    """A sender that repeats each request under its key until it is acknowledged, and an edge that is killed again and again."""
    port, choose = ports(), random.Random(11)
    plan = ("http", f"http-push://127.0.0.1:{port}", {}, [(1, "line:m:v", "double")])
    process = intake_edge.start(tmp_path / "journal", *plan, password="t")
    sent, kill_at, kills = 0, time.monotonic() + 2.0, 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "Token t"}, trust_env=False) as client:
        deadline = time.monotonic() + 80
        while kills < 5 or sent < 200:
            assert time.monotonic() < deadline, (kills, sent)
            body = "".join(f"m v={sent * 10 + n} {START + sent * 10 + n}\n" for n in range(10))
            try:
                answer = client.post("/write", content=body, headers={"Idempotency-Key": f"batch-{sent}"}, timeout=5)
                if answer.status_code == 204:
                    sent += 1
            except httpx.HTTPError:
                time.sleep(0.02)
            if time.monotonic() >= kill_at and kills < 5:
                process.kill()
                process.wait()
                process.stdout.close()
                kills += 1
                process = intake_edge.start(tmp_path / "journal", *plan, password="t")
                kill_at = time.monotonic() + 1.5 + choose.uniform(0.0, 1.0)
    process.kill()
    process.wait()
    process.stdout.close()
    assert dict(intake_edge.rows_of(tmp_path / "journal")) == {(1, START + n, float(n)): 1 for n in range(sent * 10)}


TELEGRAF = shutil.which("telegraf") or os.environ.get("HULIAN_TELEGRAF")


@pytest.mark.skipif(not TELEGRAF, reason="no telegraf: install it, or name it in HULIAN_TELEGRAF")
@pytest.mark.parametrize("output", ["influxdb_v2", "influxdb", "http-line", "http-cloudevents"])
async def test_telegraf_pushes_without_a_change(bench, sink, point, tmp_path, output):
    (tmp_path / "in.txt").write_text(f'press,line=a\\ 1 force=12.5,n=7i,mode="a \\"b\\"",on=true {START}\n')
    url = f"http://127.0.0.1:{bench.port}"
    outputs = {
        "influxdb_v2": f'[[outputs.influxdb_v2]]\nurls=["{url}"]\ntoken="s3cret"\norganization="o"\nbucket="b"\n',
        "influxdb": f'[[outputs.influxdb]]\nurls=["{url}"]\nusername="u"\npassword="s3cret"\n',
        "http-line": f'[[outputs.http]]\nurl="{url}/push/x"\ndata_format="influx"\ncontent_encoding="gzip"\n'
        '[outputs.http.headers]\nAuthorization="Token s3cret"\nContent-Type="text/plain"\n',
        "http-cloudevents": f'[[outputs.http]]\nurl="{url}/push/x"\ndata_format="cloudevents"\ncloudevents_source="telegraf"\n'
        '[outputs.http.headers]\nAuthorization="Token s3cret"\nContent-Type="application/cloudevents-batch+json"\n',
    }
    configuration = tmp_path / "telegraf.conf"
    configuration.write_text(
        '[agent]\ninterval="1s"\nflush_interval="1s"\nomit_hostname=true\n'
        f'[[inputs.file]]\nfiles=["{tmp_path}/in.txt"]\ndata_format="influx"\n' + outputs[output]
    )
    key = "press,line=a%5C 1"
    bindings = [
        point(1, f"line:{key}:force"), point(2, f"line:{key}:n", StorageClass.INTEGER),
        point(3, f"line:{key}:mode", StorageClass.TEXT), point(4, f"line:{key}:on", StorageClass.BOOLEAN),
    ]  # fmt: skip
    if output == "http-cloudevents":
        bindings = [point(1, "event:telegraf:com.influxdata.telegraf.metric:fields.force")]
    async with bench.running(sink, bindings):
        ran = await anyio.run_process(
            [TELEGRAF, "--config", str(configuration), "--once"], check=False, stderr=subprocess.STDOUT
        )
        assert ran.returncode == 0, ran.stdout.decode()
    assert rows(sink, 1) == [(0, 12.5)], (ran.stdout.decode(), json.dumps([str(event) for event in sink.events]))
    if output != "http-cloudevents":
        assert [rows(sink, series) for series in (2, 3, 4)] == [[(0, 7)], [(0, 'a "b"')], [(0, True)]]
