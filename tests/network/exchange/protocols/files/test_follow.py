"""Growing files: half lines, rotation, truncation, restarts, bad rows."""

from __future__ import annotations

import os
import random
import time

import anyio
import intake_edge
import pytest

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState
from hulian.network.exchange.protocols.files.config import FilesConfiguration
from hulian.network.exchange.protocols.files.reading import continues, open_reader
from hulian.network.exchange.protocols.tabular import Rows, Target

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

SECOND = 10**9
START = 1_700_000_000


def line(number: int, value: object = None) -> str:
    return f"{START + number},{number + 0.5 if value is None else value}\n"


def values(sink, series=1):
    return [value for _, value, status in sink.of(series) if status == 0]


async def test_what_is_appended_comes_and_a_half_line_waits(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0))
    async with bench.running(sink, "log.csv", [column(1, "a", scale=2.0, offset=1.0)]):
        await sink.until(lambda: values(sink) == [2.0])
        with path.open("a") as file:
            file.write(f"{START + 1},7")
            file.flush()
            await anyio.sleep(0.2)
            assert values(sink) == [2.0]
            file.write("5.5\n" + line(2))
            file.flush()
            await sink.until(lambda: values(sink) == [2.0, 152.0, 6.0])
    assert [moment for moment, _, _ in sink.of(1)] == [(START + number) * SECOND for number in range(3)]


async def test_a_header_that_is_half_written_waits(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,")
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
        with path.open("a") as file:
            file.write("a\n" + line(0))
        await sink.until(lambda: values(sink) == [0.5])


async def test_a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: values(sink) == [0.5])
        old = path.open("a")
        old.write(line(1))
        path.rename(bench.directory / "log.csv.1")
        path.write_text("time,a\n" + line(10))
        old.flush()
        await sink.until(lambda: sorted(values(sink)) == [0.5, 1.5, 10.5])
        old.write(line(2))  # the writer learns of the rotation a moment later
        old.close()
        await sink.until(lambda: sorted(values(sink)) == [0.5, 1.5, 2.5, 10.5])
        await sink.until(lambda: sink.statuses[-1].counters.get("rotations") == 1)


async def test_a_file_renamed_while_we_were_away_is_read_to_its_end(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: values(sink) == [0.5])
    with path.open("a") as file:
        file.write(line(1))
    path.rename(bench.directory / "log.csv.1")
    path.write_text("time,a\n" + line(10))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: sorted(values(sink)) == [0.5, 1.5, 10.5])


async def test_a_file_that_went_away_unread_is_told(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0) + "17")
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: values(sink) == [0.5])
    path.unlink()
    path.write_text("time,a\n" + line(10))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: sorted(values(sink)) == [0.5, 10.5])
        # The file system may give the number of the old file to the new one: then it looks like one that was cut.
        await sink.until(lambda: {event.code for event in sink.events} & {"HL-FILES-0020", "HL-FILES-0021"})


async def test_a_cut_file_is_read_anew_with_an_event(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0) + line(1))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: len(values(sink)) == 2)
        with path.open("r+") as file:
            file.truncate(0)
            file.write("time,a\n" + line(5))
        await sink.until(lambda: values(sink) == [0.5, 1.5, 5.5])
        assert [event.code for event in sink.events] == ["HL-FILES-0020"]


async def test_a_cut_file_that_has_outgrown_its_old_length_is_noticed(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: len(values(sink)) == 1)
        with path.open("r+") as file:
            file.write("time,a\n" + line(5) + line(6) + line(7))
        await sink.until(lambda: values(sink) == [0.5, 5.5, 6.5, 7.5])
        assert [event.code for event in sink.events] == ["HL-FILES-0020"]


async def test_a_file_that_is_cut_between_the_look_and_the_read_gives_no_row_from_the_middle(bench, tmp_path):
    """Whenever the writer comes: a read gives rows of the file that the mark was made of, or none."""
    path = tmp_path / "log.csv"
    path.write_text("time,a\n" + line(0))
    configuration = FilesConfiguration()
    reader = open_reader(
        os.open(path, os.O_RDONLY),
        path,
        None,
        configuration,
        Rows(configuration, [Target(1, "a", StorageClass.DOUBLE)]),
        last=False,
    )
    block = reader.read(last=False)
    assert block.table.num_rows == 1
    with path.open("r+") as file:
        file.write("time,a\n" + line(5) + line(6) + line(7))
    assert reader.read(last=False) is None
    look = os.open(path, os.O_RDONLY)
    assert not continues(look, reader.mark, whole=False)
    status = os.fstat(look)
    assert (reader.mark.size, reader.mark.modified) != (status.st_size, status.st_mtime_ns), "the next look must look again"
    os.close(look)
    reader.close()


async def test_a_header_that_is_written_anew_before_the_first_row_names_the_columns(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,b,a\n")
    async with bench.running(sink, "log.csv", [column(1, "a"), column(2, "b")]):
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
        await anyio.sleep(0.2)
        path.write_text(f"time,a,b\n{START},1.5,2.5\n")
        await sink.until(lambda: values(sink, 1) == [1.5] and values(sink, 2) == [2.5])


async def test_a_file_replaced_by_a_longer_copy_goes_on_where_it_stood(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0) + line(1))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: len(values(sink)) == 2)
        new = bench.directory / "new"
        new.write_text("time,a\n" + line(0) + line(1) + line(2))
        new.replace(path)
        await sink.until(lambda: values(sink) == [0.5, 1.5, 2.5])
        await anyio.sleep(0.3)
        assert values(sink) == [0.5, 1.5, 2.5]
        assert sink.events == []


async def test_bad_rows_and_values_are_told_with_their_line_and_the_rest_goes_on(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text(
        f"time,a,b\n{START},1.5,2\n\nthis is no row\n{START + 1},n0t,3\nwhenever,2.5,4\n{START + 2},,5\n{START + 3},3.5,6\n"
    )
    async with bench.running(sink, "log.csv", [column(1, "a"), column(2, "b", StorageClass.INTEGER)]):
        await sink.until(lambda: len(values(sink, 2)) == 4)
    assert [(value, status) for _, value, status in sink.of(1)] == [(1.5, 0), (None, 0x8074_0000), (3.5, 0)]
    assert values(sink, 2) == [2, 3, 5, 6]
    told = {event.code: event.message for event in sink.events}
    assert "log.csv, line 4" in told["HL-FILES-0013"]
    assert "log.csv, line 5" in told["HL-FILES-0014"]
    assert sink.statuses[-1].counters["bad_rows"] == 2
    assert sink.statuses[-1].counters["bad_values"] == 1


async def test_a_line_that_is_too_long_is_a_bad_row(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0) + "x" * 3_000_000 + "\n" + line(1))
    async with bench.running(sink, "log.csv", [column(1, "a")], longest_line=1000):
        await sink.until(lambda: values(sink) == [0.5, 1.5])
        await sink.until(lambda: sink.statuses[-1].counters.get("bad_rows") == 1)


async def test_beginning_at_the_end_skips_what_was_there_but_no_later_file(bench, sink, column):
    (bench.directory / "a.csv").write_text("time,a\n" + line(0) + line(1))
    async with bench.running(sink, "*.csv", [column(1, "a")], begin="end"):
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED)
        await anyio.sleep(0.2)
        (bench.directory / "b.csv").write_text("time,a\n" + line(7))
        with (bench.directory / "a.csv").open("a") as file:
            file.write(line(2))
        await sink.until(lambda: sorted(values(sink)) == [2.5, 7.5])


async def test_a_restart_reads_nothing_twice_and_a_lost_commit_again(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + "".join(line(number) for number in range(3)))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: len(values(sink)) == 3)
    with path.open("a") as file:
        file.write(line(3))
    before = sink.position
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: len(values(sink)) == 4)
    # A crash between the bookmark and the journal: the journal still names the number before.
    sink.position = before
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: values(sink) == [0.5, 1.5, 2.5, 3.5, 3.5])


async def test_a_lost_memory_is_told_and_files_are_read_anew(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0))
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: len(values(sink)) == 1)
    for file in bench.memory.iterdir():
        file.unlink()
    async with bench.running(sink, "log.csv", [column(1, "a")]):
        await sink.until(lambda: len(values(sink)) == 2)
        assert sink.events[0].code == "HL-FILES-0011"


def test_killing_the_edge_at_any_moment_neither_loses_nor_doubles_rows(tmp_path):
    """A real journal and a growing, rotated file; the process is killed again and again."""
    drop = tmp_path / "drop"
    drop.mkdir()
    path = drop / "log.csv"
    written = 0
    choose = random.Random(7)

    def write(count: int) -> None:
        nonlocal written
        with path.open("a") as file:
            file.write("".join(line(number) for number in range(written, written + count)))
        written += count

    def fresh() -> None:
        path.write_text("time,a\n")

    fresh()
    plan = ("files", f"file://{path}", {"poll": 0.01, "settle": 0.2}, [(1, "column=a", "double")])
    for turn in range(6):
        process = intake_edge.start(tmp_path / "journal", *plan, directories=[str(drop)])
        assert process.stdout is not None
        # A file that is rotated before anyone saw it is nobody's: the first row of each is waited for.
        before = len(intake_edge.rows_of(tmp_path / "journal"))
        write(60_000)
        while turn in (1, 3) and len(intake_edge.rows_of(tmp_path / "journal")) == before:
            time.sleep(0.05)
        process.stdout.readline()
        until = time.monotonic() + choose.uniform(0.0, 0.6)
        while time.monotonic() < until:
            write(choose.randrange(1, 2000))
            time.sleep(0.01)
        process.kill()
        process.wait()
        process.stdout.close()
        if turn in (1, 3):
            path.rename(drop / f"log.csv.{turn}")
            fresh()
    process = intake_edge.start(tmp_path / "journal", *plan, directories=[str(drop)])
    assert process.stdout is not None
    write(10)
    deadline = time.monotonic() + 60
    while len(intake_edge.rows_of(tmp_path / "journal")) < written and time.monotonic() < deadline:
        process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    found = intake_edge.rows_of(tmp_path / "journal")
    wanted = {(1, (START + number) * SECOND, number + 0.5): 1 for number in range(written)}
    assert len(found) == written
    assert dict(found) == wanted


async def test_a_rotation_that_matches_the_pattern_too_is_not_read_twice(bench, sink, column):
    path = bench.directory / "log.csv"
    path.write_text("time,a\n" + line(0))
    async with bench.running(sink, "log.csv*", [column(1, "a")]):
        await sink.until(lambda: values(sink) == [0.5])
        path.rename(bench.directory / "log.csv.1")
        path.write_text("time,a\n" + line(1))
        await sink.until(lambda: values(sink) == [0.5, 1.5])
        await anyio.sleep(0.2)
        assert values(sink) == [0.5, 1.5]


async def test_the_long_layout_with_qualities(bench, sink):
    path = bench.directory / "log.csv"
    path.write_text(
        "ts;tag;value;quality\n"
        f"{START};PT-1;1,5;192\n{START};MODE;auto;192\n{START + 1};PT-1;2,5;0\n{START + 1};XX;9;192\n{START + 2};PT-1;;64\n"
    )
    bindings = [
        Binding(series=1, address="tag=PT-1", storage=StorageClass.DOUBLE),
        Binding(series=2, address="tag=MODE", storage=StorageClass.TEXT),
    ]
    settings = {"layout": "long", "quality": "quality", "decimal": ",", "empty": "null"}
    async with bench.running(sink, "log.csv", bindings, **settings):
        await sink.until(lambda: len(sink.of(1)) == 3)
    assert [(value, hex(status)) for _, value, status in sink.of(1)] == [
        (1.5, "0x0"), (2.5, "0x80000000"), (None, "0x809b0000"),
    ]  # fmt: skip
    assert [value for _, value, _ in sink.of(2)] == ["auto"]
