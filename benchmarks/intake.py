"""Bulk intake: rows a second from files and pushed bodies to the edge's journal, beside a plain reader of the same bytes.

Ours is the whole way of a connector (read, map, bookmark on disk, journal); the reference only parses. In turns, files warm.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

PARQUET_ROWS = 10_000_000
CSV_ROWS = 2_000_000
LINES = 200_000
TURNS = 3
START = 1_700_000_000_000_000_000


async def _connector(directory: Path, name: str, rows: int, **settings) -> float:
    """Rows a second until everything is in a real journal."""
    from hulian.kernel.storage import StorageClass
    from hulian.network.exchange.protocols.contract import Binding, Credentials, Environment
    from hulian.network.exchange.protocols.files import protocol
    from hulian.network.exchange.protocols.files.config import FilesConfiguration
    from hulian.network.exchange.spine import codec
    from hulian.platform.edge.config import BufferPolicy, EdgeConfiguration
    from hulian.platform.edge.journal import Journal
    from hulian.platform.edge.sink import JournalSink

    with tempfile.TemporaryDirectory() as state:
        journal = Journal(Path(state) / "journal", bound=2**33, policy=BufferPolicy.DROP_OLDEST)
        journal.open()
        sink = JournalSink("bench", "files", journal, EdgeConfiguration(), codec.encode, lambda event: None, lambda: None)
        environment = Environment(
            organisation="bench", connector="files", credentials=Credentials(), trust=None,  # type: ignore[arg-type]
            extras={"files.directories": (directory,)}, directory=Path(state) / "input",
        )  # fmt: skip
        binding = Binding(series=1, address="column=a", storage=StorageClass.DOUBLE)
        connector = protocol.connector(f"file://{directory}/{name}", FilesConfiguration(**settings), [binding], environment)
        began = time.monotonic()
        running = asyncio.ensure_future(connector.run(sink))
        while sink.samples_taken < rows and not running.done():
            await asyncio.sleep(0.005)
        took = time.monotonic() - began
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        journal.close()
        assert sink.samples_taken == rows, sink.current
    return rows / took


def _row(
    name: str, ours: list[float], theirs: list[float] | None, reference: str, conditions: str, unit: str = "rows/s"
) -> dict:
    value = statistics.median(ours)
    row = {"name": name, "value": value, "unit": unit, "conditions": f"{conditions}, median of {TURNS}"}
    if theirs:
        against = statistics.median(theirs)
        row |= {"reference": reference, "reference_value": against, "ratio": value / against}
    return row


def _parquet(directory: Path) -> dict:
    path = directory / "bench.parquet"
    step = 1_000_000
    schema = pa.schema([("time", pa.timestamp("us", "UTC")), ("a", pa.float64())])
    with parquet.ParquetWriter(path, schema) as writer:
        for first in range(0, PARQUET_ROWS, step):
            times = pa.array(START // 1000 + np.arange(first, first + step) * 1000).view(pa.timestamp("us", "UTC"))
            writer.write_table(pa.table({"time": times, "a": np.sin(np.arange(first, first + step))}, schema=schema))

    def plain() -> float:
        began, count = time.monotonic(), 0
        for batch in parquet.ParquetFile(path).iter_batches(65_536, use_threads=False):
            count += batch.num_rows
        return count / (time.monotonic() - began)

    ours, theirs = [], []
    for _ in range(TURNS):
        theirs.append(plain())
        ours.append(asyncio.run(_connector(directory, path.name, PARQUET_ROWS, mode="replay", pace=0.0)))
    path.unlink()
    return _row("intake.parquet_replay", ours, theirs, "pyarrow's ParquetFile.iter_batches, one thread, parsing only",
                f"{PARQUET_ROWS:,} rows of a time and a double, to the journal")  # fmt: skip


def _csv(directory: Path) -> dict:
    path = directory / "bench.csv"
    times = pa.array(START + np.arange(CSV_ROWS) * 1_000_000).view(pa.timestamp("ns", "UTC"))
    csv.write_csv(pa.table({"time": times, "a": np.round(np.sin(np.arange(CSV_ROWS)), 6)}), path)

    def plain() -> float:
        began, count = time.monotonic(), 0
        options = csv.ReadOptions(use_threads=False, block_size=2**20)
        types = csv.ConvertOptions(column_types={"time": pa.timestamp("ns", "UTC"), "a": pa.float64()})
        with csv.open_csv(path, read_options=options, convert_options=types) as reader:
            for batch in reader:
                count += batch.num_rows
        return count / (time.monotonic() - began)

    ours, theirs = [], []
    for _ in range(TURNS):
        theirs.append(plain())
        ours.append(asyncio.run(_connector(directory, path.name, CSV_ROWS, mode="follow", poll=0.01)))
    path.unlink()
    return _row("intake.csv_follow", ours, theirs, "pyarrow's open_csv, one thread, parsing only",
                f"{CSV_ROWS:,} rows of an ISO time and a double, to the journal")  # fmt: skip


def _line_protocol() -> dict:
    """Decoding alone, against a C parser of the same lines where one is installed."""
    from hulian.network.exchange.protocols.http.line import decode

    lines = [f"cpu,host=h{n % 100},region=eu user={n % 97}.25,system={n % 13}.5,n={n}i {START + n}" for n in range(LINES)]
    body = "\n".join(lines).encode()
    values = 3 * LINES
    foreign = None
    if importlib.util.find_spec("line_protocol_parser"):
        from line_protocol_parser import parse_line

        foreign = parse_line
    ours, theirs = [], []
    for _ in range(TURNS):
        began = time.monotonic()
        assert len(decode(body, 0)) == values
        ours.append(LINES / (time.monotonic() - began))
        if foreign is not None:
            began = time.monotonic()
            count = sum(len(foreign(line)["fields"]) for line in body.decode().split("\n"))
            theirs.append(LINES / (time.monotonic() - began))
            assert count == values
    told = "line-protocol-parser (PyPI, C), to dicts" if theirs else "none: pip install line-protocol-parser"
    return _row(
        "intake.line_protocol", ours, theirs, told, f"{LINES:,} lines of two tags and three fields, to columns", "lines/s"
    )


def run() -> list[dict]:
    directory = Path(tempfile.mkdtemp(prefix="hulian-bench-"))
    try:
        return [_parquet(directory), _csv(directory), _line_protocol()]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
