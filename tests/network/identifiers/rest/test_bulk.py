"""Registration in bulk: CSV and Arrow, refused rows beside good ones, jobs that were cut, and a node that is killed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from pathlib import Path

import anyio
import bulk_node
import httpx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_nodes import SECRET, STRANGER, USER, basic, face

from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.transport.rest.bulk import rows as rows_module
from hulian.network.identifiers.transport.rest.bulk.job import WINDOW, windows
from hulian.network.identifiers.transport.rest.bulk.records import records_of
from hulian.network.identifiers.transport.rest.bulk.rows import arrow_rows, csv_rows
from hulian.network.identifiers.transport.rest.errors import RestError
from hulian.network.identifiers.wire.values import Value, pack_values, unpack_values
from hulian.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]
CSV = {"Content-Type": "text/csv"}
ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}


@pytest.fixture
async def served(plant, tmp_path):
    async with face(plant, tmp_path) as made:
        yield made


def stored(plant, handle: str):
    packed = plant.stores["enterprise"].packed(key_of(handle))
    return None if packed is None else [(value.index, value.type, value.data) for value in unpack_values(packed)]


async def posted(served, body, job: str, headers=CSV, auth=None) -> list[dict]:
    async with served.client(auth=auth or basic(), timeout=60) as client:
        answer = await client.post(f"/api/bulk?job={job}", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


def refused(lines: list[dict]) -> dict[int, dict]:
    return {line["refused"]["line"]: line["refused"] for line in lines if isinstance(line.get("refused"), dict)}


async def test_rows_of_csv_become_records_and_bad_ones_harm_no_other(plant, served):
    body = (
        "handle,index,type,data,ttl,permissions\r\n"
        "88.111.1/one,1,URL,https://example.com/1,,\r\n"
        '88.111.1/two,1,URL,"https://example.com/a,b",3600,1100\r\n'
        '88.111.1/two,2,DESC,"a ""good"" 泵",,\r\n'
        "88.111.1/bad,0,URL,x,,\r\n"
        "88.111.1/badttl,1,URL,x,soon,\r\n"
        "88.111.1/badperm,1,URL,x,,11\r\n"
        "noslash,1,URL,x,,\r\n"
        "88.111.1/short,1\r\n"
        '88.111.1/open,1,URL,"never closed,,\r\n'
        "88.111.1/three,1,URL,https://example.com/3,,\r\n"
        "88.111.1/ONE,1,URL,again,,\r\n"
        "88.111.1/item7,1,URL,exists,,\r\n"
        "88.111.9/x,1,URL,elsewhere,,\r\n"
        "88.111.1/admin2,100,HS_ADMIN,no admin,,\r\n"
        "88.111.1/twice,1,URL,a,,\r\n"
        "88.111.1/twice,1,URL,b,,\r\n"
        "0.NA/88.111.1.5,1,URL,a prefix,,\r\n"
        "\r\n"
        "88.111.1/last,1,URL,https://example.com/last,,"
    ).encode() + b"\n88.111.1/latin,1,URL,\xff,,\n"
    lines = await posted(served, body, "first")
    assert lines[0] == {"job": "first", "acknowledged": 0}, lines
    assert lines[-1].get("done"), lines
    assert stored(plant, "88.111.1/one") == [(1, "URL", b"https://example.com/1")], lines
    assert stored(plant, "88.111.1/two") == [(1, "URL", b"https://example.com/a,b"), (2, "DESC", 'a "good" 泵'.encode())]
    packed = unpack_values(plant.stores["enterprise"].packed(b"88.111.1/TWO"))
    assert (packed[0].ttl, packed[0].permissions, packed[1].ttl, packed[1].permissions) == (3600, 12, 86400, 14)
    assert packed[0].timestamp > 1_700_000_000
    assert stored(plant, "88.111.1/three")
    assert stored(plant, "88.111.1/last")
    told = refused(lines)
    assert sorted(told) == [5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 18, 21]
    assert all(one["code"].startswith("HL-ID-0") and one["message"] for one in told.values())
    assert (told[13]["code"], told[14]["code"], told[5]["code"]) == ("HL-ID-0301", "HL-ID-0523", "HL-ID-0530")
    assert told[13]["hint"]
    assert lines[-1] == {"done": True, "acknowledged": 16, "records": 4, "refused": 13}
    for handle in ("bad", "badttl", "badperm", "short", "open", "admin2", "twice", "latin"):
        assert stored(plant, f"88.111.1/{handle}") is None
    by = {one.by for one in plant.stores["enterprise"].log.read() if one.handle == "88.111.1/one"}
    assert by == {str(USER)}
    store = plant.stores["enterprise"]
    assert store.log.verify() == store.log.last
    again = await posted(served, body, "first")
    assert again[-1] == lines[-1], "a job that is done does nothing again"
    assert not refused(again)


async def test_arrow_has_the_same_columns(plant, served):
    count = 12_345
    table = pa.table(
        {
            "handle": [f"88.111.1/A{number // 2}" for number in range(count)],
            "index": pa.array([1 + number % 2 for number in range(count)], pa.int32()),
            "type": ["URL"] * count,
            "data": pa.array([b"\0\xff%d" % number for number in range(count)]),
            "ttl": pa.array([60] * count, pa.uint64()),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=777)
    lines = await posted(served, sink.getvalue().to_pybytes(), "arrow", ARROW)
    assert lines[-1] == {"done": True, "acknowledged": count, "records": (count + 1) // 2, "refused": 0}
    assert stored(plant, "88.111.1/A1") == [(1, "URL", b"\0\xff2"), (2, "URL", b"\0\xff3")]
    assert stored(plant, "88.111.1/A6172") == [(1, "URL", b"\0\xff12344")]
    assert stored(plant, f"88.111.1/A{WINDOW // 2 - 1}") == [(1, "URL", b"\0\xff9998"), (2, "URL", b"\0\xff9999")]


async def test_who_may_not_registers_nothing(plant, served):
    body = b"handle,index,type,data\n88.111.1/mine,1,URL,x\n"
    lines = await posted(served, body, "stranger", auth=basic(STRANGER, "known"))
    assert refused(lines)[2]["code"] == "HL-ID-0523"
    assert lines[-1]["records"] == 0
    assert stored(plant, "88.111.1/mine") is None
    async with served.client() as client:
        assert (await client.post("/api/bulk?job=x", content=body, headers=CSV)).status_code == 401
    async with served.client(auth=basic()) as client:
        assert (await client.post("/api/bulk?job=stranger", content=body, headers=CSV)).status_code == 409
        assert (await client.get("/api/bulk?job=stranger")).status_code == 404, "a job of somebody else"
        assert (await client.post("/api/bulk?job=a/b", content=body, headers=CSV)).status_code == 400
        assert (await client.post("/api/bulk?job=x", content=body)).status_code == 415
        for broken in (b"", b"handle,index,type\n", b"a,b\n", b"handle,index,type,data,data\n", b"\xff\n", b"x" * 3_000_000):
            answer = await client.post("/api/bulk?job=broken", content=broken, headers=CSV)
            assert json.loads(answer.text.splitlines()[-1])["done"] is False
    assert plant.stores["enterprise"].log.verify()


async def test_another_file_does_not_go_on_with_a_job(plant, served):
    def body(first: int, last: int) -> bytes:
        rows = "".join(f"88.111.1/N{number},1,URL,x{number}\n" for number in range(first, last))
        return f"handle,index,type,data\n{rows}".encode()

    assert (await posted(served, body(0, 15_000), "numbers"))[-1]["records"] == 15_000
    other = await posted(served, body(1, 15_001), "numbers")
    assert other[-1]["code"] == "HL-ID-0520"
    shorter = await posted(served, body(0, 14_000), "numbers")
    assert shorter[-1]["code"] == "HL-ID-0520"
    assert len(plant.stores["enterprise"].below(b"88.111.1/N", most=20_000)) == 15_000
    async with served.client(auth=basic()) as client:
        state = (await client.get("/api/bulk?job=numbers")).json()
    assert state == {"job": "numbers", "acknowledged": 15_000, "records": 15_000, "refused": 0, "done": True}


class Killed:
    """A node in a process of its own, over one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def __aenter__(self) -> Killed:
        environment = {**os.environ}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, bulk_node.__file__, str(self.directory), stdout=asyncio.subprocess.PIPE, env=environment
        )
        self.port = int(await asyncio.wait_for(self.process.stdout.readline(), 60))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stream(self, body: bytes, until: int) -> int:
        """Sends the job's rows and reads what is acknowledged; kills the node once ``until`` rows are. The last number read."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        secret = base64.b64encode(f"{str(bulk_node.USER).replace(':', '%3A')}:secret".encode()).decode()
        head = (
            f"POST /api/bulk?job=big HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {secret}\r\nContent-Type: text/csv\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        acknowledged = 0

        async def send() -> None:
            writer.write(head.encode())
            for begin in range(0, len(body), 50_000):
                writer.write(body[begin : begin + 50_000])
                await writer.drain()

        sending = asyncio.ensure_future(send())
        try:
            while line := await reader.readline():
                if line.startswith(b'{"acknowledged"'):
                    acknowledged = json.loads(line)["acknowledged"]
                    if acknowledged >= until:
                        self.process.send_signal(signal.SIGKILL)
                        break
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
        await self.process.wait()
        return acknowledged


async def test_a_node_that_is_killed_has_lost_and_doubled_nothing(tmp_path):
    """kill -9 in the middle: what was acknowledged is there; the same job, sent again, makes the rest and nothing twice."""
    count = 25_000
    rows = "".join(f"88.111.1/K{number},1,URL,https://example.com/{number}\n" for number in range(count))
    body = f"handle,index,type,data\n{rows}88.111.1/bad,0,URL,x\n".encode()
    for until in (1, 12_000):
        async with Killed(tmp_path) as node:
            acknowledged = await node.stream(body, until)
            assert until <= acknowledged < count
        registry = Registry.open(tmp_path / "node.db")
        store = RecordStore(registry)
        assert all(store.packed(b"88.111.1/K%d" % number) for number in range(acknowledged))
        registry.close()
    async with Killed(tmp_path) as node:
        url = f"http://127.0.0.1:{node.port}"
        async with httpx.AsyncClient(base_url=url, auth=basic(bulk_node.USER, "secret"), timeout=60) as client:
            answer = await client.post("/api/bulk?job=big", content=body, headers=CSV)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert lines[0]["acknowledged"] >= acknowledged
        assert lines[-1] == {"done": True, "acknowledged": count + 1, "records": count, "refused": 1}
    registry = Registry.open(tmp_path / "node.db")
    store = RecordStore(registry)
    made = []
    after = 0
    while part := store.log.read(after, 10_000):
        made += [one.handle for one in part if "/K" in one.handle]
        after = part[-1].number
    assert made == [f"88.111.1/K{number}" for number in range(count)], "each once, in the order of the file"
    assert store.log.verify() == store.log.last
    registry.close()


async def test_a_file_is_loaded_from_the_command_line(plant, served, tmp_path):
    rows = "".join(f"88.111.1/L{number},1,URL,https://example.com/{number}\n" for number in range(1_500))
    (tmp_path / "things.csv").write_text(f"handle,index,type,data\n{rows}88.111.1/bad,0,URL,x\n")
    (tmp_path / "secret").write_bytes(SECRET.encode())
    (tmp_path / "wrong").write_bytes(b"another")

    async def load(*arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "hulian", "identifiers", "load", *arguments]
        done = await anyio.run_process([*command, "--as", str(USER)], check=False, cwd=tmp_path)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    where = ("--url", served.url, "--ca", str(served.root))
    code, out, error = await load("things.csv", *where, "--key", "secret")
    assert (code, out) == (1, "1500 identifiers are registered, 1 rows refused\n"), error
    assert "line 1502: 88.111.1/bad: an index is a number from 1" in error
    assert stored(plant, "88.111.1/l1499") == [(1, "URL", b"https://example.com/1499")]
    code, out, _ = await load("things.csv", *where, "--key", "secret", "--json")
    assert (code, json.loads(out)["records"], json.loads(out)["done"]) == (1, 1_500, True), "the same file is the same job"
    for arguments, told in (
        (("things.csv", *where, "--key", "wrong"), "refuses"),
        (("things.csv", "--url", served.plain, "--key", "secret"), "over https only"),
        (("secret", *where, "--key", "secret"), "says nothing of the rows"),
    ):
        code, out, error = await load(*arguments)
        assert (code, out, told in error, "Traceback" in error) == (1, "", True, False), (arguments, error)


_LINE = st.text("ab,1/\0\r \ufeff泵", max_size=12) | st.sampled_from(["88.1/a,1,URL,x", "88.1/b,2,URL,\r", "é,1,2,3", ",,,"])


@given(st.lists(_LINE, max_size=6), st.sampled_from(["", "\n", "\r\n"]))
@settings(max_examples=150)
def test_lines_split_in_c_are_those_split_one_by_one(lines, end):
    body = ("handle,index,type,data\n" + "\n".join(lines) + end).encode()

    def outcome() -> tuple[list, list]:
        refused: list = []
        parts = iter([body])
        batches = csv_rows(lambda: next(parts, b""), lambda line, handle, error: refused.append((line, handle, error.message)))
        return [row for batch in batches for row in batch.to_pylist()], refused

    quick = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "_at_once", lambda block, width: None)
        assert outcome() == quick


# -- columns against single values -----------------------------------------------------------------------------------------


def chunks(body: bytes, size: int):
    parts = iter([body[begin : begin + size] for begin in range(0, len(body), size)])
    return lambda: next(parts, b"")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["88.1/a", "88.1/b", "88.1/ü"]),
            st.integers(1, 2**31 - 1),
            st.sampled_from(["URL", "DESC", "泵"]),
            st.binary(max_size=20),
            st.integers(0, 2**31 - 1),
            st.sampled_from(["1110", "0000", "1111", "1010"]),
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda row: (row[0], row[1]),
    )
)
def test_columns_are_packed_as_single_values_are(rows):
    rows = sorted(rows, key=lambda row: row[0])
    columns = list(zip(*rows, strict=True))
    kinds = [pa.string(), pa.int64(), pa.string(), pa.binary(), pa.int64(), pa.string()]
    names = ["handle", "index", "type", "data", "ttl", "permissions"]
    table = pa.table([pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)], names=names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    told = []
    (window,) = windows(arrow_rows(chunks(sink.getvalue().to_pybytes(), 100), lambda *one: told.append(one)))
    made = records_of(window, lambda *one: told.append(one))
    assert told == []
    wanted = {}
    stamp = unpack_values(made.packed[0])[0].timestamp
    for handle, index, kind, data, ttl, permissions in rows:
        value = Value(index=index, type=kind, data=data, ttl=ttl, permissions=int(permissions, 2), timestamp=stamp)
        wanted.setdefault(handle, []).append(value)
    assert list(made.handles) == list(wanted)
    assert list(made.keys) == [key_of(handle) for handle in wanted]
    assert list(made.packed) == [pack_values(values) for values in wanted.values()]


def _hostile(form, body: bytes) -> None:
    seen = 0
    try:
        for window in windows(form(chunks(body, 64), lambda *_: None)):
            records_of(window, lambda *_: None)
            seen += 1
    except RestError:
        pass


def _an_arrow_stream() -> bytes:
    table = pa.table({"handle": ["88.1/a"], "index": [1], "type": ["URL"], "data": ["x"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.fuzz
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_hostile_rows_raise_nothing_but_refusals(data):
    good = _an_arrow_stream()
    place = data.draw(st.integers(0, len(good) - 1))
    _hostile(arrow_rows, good[:place] + data.draw(st.binary(max_size=9)) + good[place + data.draw(st.integers(0, 9)) :])
    _hostile(arrow_rows, data.draw(st.binary(max_size=200)))
    _hostile(csv_rows, b"handle,index,type,data\n" + data.draw(st.binary(max_size=200)))
    _hostile(csv_rows, data.draw(st.binary(max_size=100)))
    texts = st.text('88.1/a,"\n\r0', max_size=60)
    _hostile(csv_rows, b"handle,index,type,data\n88.1/a,1,URL,x\n" + data.draw(texts).encode())


async def test_dictionaries_and_compression_are_refused_by_name():
    table = pa.table({"handle": ["88.1/a"], "index": [1], "type": ["URL"], "data": ["x" * 1000]})
    for options, encode in ((pa.ipc.IpcWriteOptions(compression="zstd"), False), (None, True)):
        shown = table.set_column(2, "type", table["type"].dictionary_encode()) if encode else table
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, shown.schema, options=options) as writer:
            writer.write_table(shown)
        with pytest.raises(RestError) as caught:
            list(arrow_rows(chunks(sink.getvalue().to_pybytes(), 1000), lambda *_: None))
        assert caught.value.code == "HL-ID-0511"
