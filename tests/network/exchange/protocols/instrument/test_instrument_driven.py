"""A described instrument, driven live: over TCP and over a serial line, asked, obeyed, refused, and lost."""

import asyncio
import contextlib
import os
import threading
import tty

import msgspec
import pytest

from hulian.kernel.errors import HulianError
from hulian.kernel.quality import Quality, is_good
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.confinement import DIRECTORIES
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.instrument import protocol
from hulian.network.exchange.protocols.instrument.errors import AddressError, DirectoryError, OptionError
from hulian.network.exchange.protocols.instrument.simulator import DESCRIPTION, Analyser, Simulator
from hulian.network.exchange.protocols.instrument.target import parse_url

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

PLACE = Environment(organisation="o", connector="c", credentials=Credentials(), trust=None)
LIMIT = Binding(series=10, address="LIM?/limit", storage=StorageClass.DOUBLE, writable=True)
MODE = Binding(series=11, address="STAT:MODE?/mode", storage=StorageClass.TEXT, writable=True)
CAL = Binding(series=12, address="CAL", storage=StorageClass.STRUCTURE, writable=True)
PRESSURE = Binding(series=1, address="MEAS:PRES?/pressure", storage=StorageClass.DOUBLE)


class Sink:
    position = None
    fill = 0.0

    def __init__(self):
        self.columns, self.events, self.statuses = [], [], []
        self.changed = asyncio.Event()

    def _touch(self):
        self.changed.set()
        self.changed = asyncio.Event()

    def samples(self, columns):
        self.columns.append(columns)
        self._touch()

    def event(self, event):
        self.events.append(event)
        self._touch()

    def status(self, status):
        self.statuses.append(status)
        self._touch()

    async def commit(self, position=None):
        pass

    def rows(self, series):
        return [
            (int(one.time[place]), one.value[int(place)].as_py(), int(one.status[place]))
            for one in self.columns
            for place in (one.series == series).nonzero()[0]
        ]

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not (found := condition()):
                await self.changed.wait()
        return found

    async def value(self, series, value):
        await self.until(lambda: any(row[1:] == (value, 0) for row in self.rows(series)))


@contextlib.asynccontextmanager
async def driven(url, settings, *bindings):
    sink = Sink()
    connector = protocol.connector(url, settings, bindings, PLACE)
    task = asyncio.create_task(connector.run(sink))
    try:
        await sink.until(
            lambda: sink.statuses and sink.statuses[-1].state in (ConnectorState.CONNECTED, ConnectorState.DEGRADED)
        )
        yield connector, sink
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def refused(code, awaitable):
    with pytest.raises(HulianError) as told:
        await awaitable
    assert told.value.code == code
    assert told.value.hint
    return told.value


async def test_settings_are_written_within_the_described_ranges_and_never_outside():
    async with Simulator() as sim, driven(sim.url, sim.configuration, LIMIT, MODE, PRESSURE) as (connector, sink):
        await connector.write(LIMIT, 42.5)
        await sink.value(10, 42.5)
        assert sim.analyser.values["limit"] == 42.5
        assert "LIM 42.500" in sim.analyser.heard
        await connector.write(MODE, "cleaning")
        await sink.value(11, "cleaning")
        said = [line for line in sim.analyser.heard if "?" not in line]
        for binding, value in (
            (LIMIT, 250.6),
            (LIMIT, -0.001),
            (LIMIT, float("nan")),
            (LIMIT, "much"),
            (MODE, "off"),
            (MODE, "a\nLIM 1"),
        ):
            await refused("HL-INSTRUMENT-0021", connector.write(binding, value))
        await connector.write(LIMIT, 250.5)
        assert [line for line in sim.analyser.heard if "?" not in line] == [*said, "LIM 250.500"], "nothing was sent meanwhile"


async def test_a_command_takes_all_its_fields_and_waits_for_the_final_answer():
    async with Simulator() as sim, driven(sim.url, sim.configuration, CAL, PRESSURE) as (connector, sink):
        await connector.write(CAL, {"points": 3})
        assert "CAL N2,03" in sim.analyser.heard, "the gas is the description's default"
        error = await refused(
            "HL-INSTRUMENT-0020", connector.write(CAL, msgspec.json.encode({"gas": "AR", "points": 1}).decode())
        )
        assert 'no argon, "bottle" empty' in error.message
        for wrong in ({}, {"points": 10}, {"points": 1, "gas": "CO"}, {"points": 1, "colour": 1}, [1], "{"):
            await refused("HL-INSTRUMENT-0021", connector.write(CAL, wrong))
        count = len(sink.rows(1))
        sim.analyser.values["pressure"] = 7.0
        await sink.value(1, 7.0)
        assert len(sink.rows(1)) > count


async def test_an_instrument_that_does_not_take_a_setting_is_told_of():
    async with Simulator() as sim, driven(sim.url, sim.configuration, LIMIT) as (connector, _):
        sim.analyser.stubborn = True
        await refused("HL-INSTRUMENT-0022", connector.write(LIMIT, 3.0))
        blind = msgspec.structs.replace(LIMIT, series=13, options={"verify": False})
        async with driven(sim.url, sim.configuration, blind) as (other, _):
            await other.write(blind, 3.0)


async def test_blocks_and_lists_become_samples_with_their_own_times():
    methane = Binding(series=20, address="spectra/methane", storage=StorageClass.DOUBLE)
    flow = Binding(series=21, address="history/flow", storage=StorageClass.DOUBLE, options={"scale": 2.0})
    whole = Binding(series=22, address="history/flow", storage=StorageClass.STRUCTURE)
    settings = Simulator().configuration
    async with Simulator() as sim, driven(sim.url, settings, methane, flow, whole) as (_, sink):
        await sink.until(lambda: sink.rows(20) and sink.rows(21) and sink.rows(22))
        first, second = sink.rows(20)[:2]
        assert (first[1], second[1]) == (91.0, 91.5)
        assert second[0] - first[0] == 250_000_000, "the basis of the bundle is in seconds"
        rows = sink.rows(21)[:3]
        assert [row[1] for row in rows] == [2.0, 4.0, 6.0]
        assert rows[1][0] - rows[0][0] == 500_000_000, "the bundle's parameter says 0.5 s"
        assert msgspec.json.decode(sink.rows(22)[0][1]) == [1.0, 2.0, 3.0]
        assert len(next(one for one in sink.columns if int(one.series[0]) == 20)) == 2, "one column, not a sample each"


async def test_a_message_that_is_refused_or_ignored_harms_no_other():
    mode, limit = msgspec.structs.replace(MODE, writable=False), msgspec.structs.replace(LIMIT, writable=False)
    async with Simulator() as sim:
        settings = msgspec.structs.replace(sim.configuration, timeout=0.3, recheck=0.2)
        async with driven(sim.url, settings, PRESSURE, mode, limit) as (_, sink):
            await sink.until(lambda: sink.rows(11) and sink.rows(10) and sink.rows(1))
            sim.analyser.deaf.add("LIM?")
            await sink.until(lambda: sink.rows(10)[-1][2] == Quality.BAD_TIMEOUT)
            assert [event for event in sink.events if event.active and "LIM?" in event.subject]
            sim.analyser.values["pressure"] = 8.25
            await sink.value(1, 8.25)
            assert {row[2] for row in sink.rows(1)} == {0}, "the neighbour was never marked"
            sim.analyser.deaf.clear()
            sim.analyser.values["limit"] = 77.0
            await sink.value(10, 77.0)
            await sink.until(lambda: any(event.active is False and "LIM?" in event.subject for event in sink.events))


async def test_an_answer_of_no_value_is_no_number():
    async with Simulator() as sim:
        settings = msgspec.structs.replace(sim.configuration, changes_only=False)
        async with driven(sim.url, settings, PRESSURE) as (_, sink):
            await sink.value(1, 1.5)
            sim.analyser.values["pressure"] = None
            count = len(sim.analyser.heard)
            await sink.until(lambda: len(sim.analyser.heard) > count + 5)
            sim.analyser.values["pressure"] = 2.5
            await sink.value(1, 2.5)
            assert not [row for row in sink.rows(1) if row[1] is not None and row[1] > 1e6]


async def test_an_answer_that_is_not_described_is_named():
    async with Simulator() as sim, driven(sim.url, sim.configuration, PRESSURE) as (_, sink):
        sim.analyser.answer = lambda line: b"HELLO\n"
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.WAITING)
        status = sink.statuses[-1]
        assert status.error_code == "HL-INSTRUMENT-0013"
        assert "HELLO" in status.error
        assert status.hint


async def test_groups_and_intervals_ask_a_message_once_for_all_its_fields():
    maker = Binding(series=30, address="*IDN?/maker", storage=StorageClass.TEXT, options={"group": "rare"})
    model = Binding(series=31, address="*IDN?/model", storage=StorageClass.TEXT, options={"group": "rare"})
    async with Simulator() as sim:
        settings = msgspec.structs.replace(sim.configuration, groups={"rare": 3600.0})
        async with driven(sim.url, settings, maker, model, PRESSURE) as (_, sink):
            await sink.value(30, "HULIAN")
            await sink.value(31, "GA-200")
            await sink.until(lambda: sim.analyser.heard.count("MEAS:PRES?") > 3 and sink.statuses)
            assert sim.analyser.heard.count("*IDN?") == 1


async def test_browsing_shows_units_ranges_and_commands():
    async with Simulator() as sim:
        found = {one.address: one async for one in protocol.browse(sim.url, sim.configuration, PLACE, depth=0)}
        assert (found["MEAS:PRES?/pressure"].unit, found["MEAS:PRES?/pressure"].writable) == ("kPa", False)
        assert (found["LIM/value"].low, found["LIM/value"].high, found["LIM/value"].writable) == (0.0, 250.5, True)
        assert found["LIM?/limit"].writable, "LIM sets the property that it shows"
        assert found["MEAS:PRES?"].name == "Pressure"
        assert found["spectra/oxygen"].storage is StorageClass.DOUBLE
        below = [one.address async for one in protocol.browse(sim.url, sim.configuration, PLACE, under="history")]
        assert below == ["history/flow"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"address": "MEAS:PRES?/heat"}, AddressError), ({"address": "nothing"}, AddressError),
        ({"address": "LIM/value"}, AddressError),
        ({"address": "CAL/points"}, AddressError), ({"address": "a/b/c"}, AddressError),
        ({"options": {"group": "x"}}, OptionError),
        ({"options": {"colour": 1}}, OptionError), ({"address": "TRAC?/trace"}, OptionError),
    ],
)  # fmt: skip
async def test_a_point_that_the_description_does_not_have_is_bad_and_says_why(change, kind):
    wrong = msgspec.structs.replace(PRESSURE, series=50, **change)
    async with Simulator() as sim, driven(sim.url, sim.configuration, PRESSURE, wrong) as (_, sink):
        await sink.value(1, 1.5)
        assert sink.rows(50)[0][1:] == (None, Quality.BAD_CONFIGURATION_ERROR)
        assert [event.code for event in sink.events] == [kind.code]
        assert sink.events[0].hint


async def test_a_description_in_a_file_is_read_where_the_edge_allows_it(tmp_path):
    path = tmp_path / "analyser.iml"
    path.write_text(DESCRIPTION.read_text())
    async with Simulator() as sim:
        settings = msgspec.structs.replace(sim.configuration, description="", description_file=str(path))
        with pytest.raises(DirectoryError):
            protocol.connector(sim.url, settings, (), PLACE)
        allowed = msgspec.structs.replace(PLACE, extras={DIRECTORIES: (tmp_path,)})
        assert protocol.connector(sim.url, settings, (), allowed).instrument.title == "Gas analyser"
        with pytest.raises(OptionError):
            protocol.connector(sim.url, msgspec.structs.replace(sim.configuration, description_file="x"), (), PLACE)


@pytest.mark.parametrize(
    "url",
    ["instrument:///x", "instrument://h:1/path", "instrument://u@h", "instrument-serial://h/dev", "instrument-serial:///dev/x?a=1",
     "instrument-serial:///dev/x?baud=7", "instrument-serial:///dev/x?parity=QQ", "tcp://h:1", "instrument://h:99999"],
)  # fmt: skip
def test_urls_that_are_none(url):
    with pytest.raises(AddressError) as told:
        parse_url(url)
    assert told.value.hint


class SerialAnalyser:
    """The analyser at the other end of a serial line: a pseudo-terminal, and a thread that answers."""

    def __init__(self):
        self.analyser = Analyser()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        had = b""
        with contextlib.suppress(OSError):
            while data := os.read(self._master, 100):
                had += data
                while b"\n" in had:
                    line, _, had = had.partition(b"\n")
                    if line == b"END":
                        return
                    os.write(self._master, self.analyser.answer(line))

    def close(self):
        os.write(self._slave, b"END\n")
        self._thread.join(10)
        os.close(self._slave)
        os.close(self._master)


async def test_the_same_description_drives_it_on_a_serial_line():
    serial = SerialAnalyser()
    try:
        url = f"instrument-serial://{serial.path}?baud=115200&parity=N"
        settings = msgspec.structs.replace(Simulator().configuration, timeout=5.0)
        async with driven(url, settings, PRESSURE, LIMIT) as (connector, sink):
            await sink.value(1, 1.5)
            await connector.write(LIMIT, 12.0)
            assert serial.analyser.values["limit"] == 12.0
            await sink.value(10, 12.0)
    finally:
        serial.close()


async def test_a_serial_line_that_is_not_there_is_waited_for(tmp_path):
    sink = Sink()
    settings = Simulator().configuration
    connector = protocol.connector(f"instrument-serial://{tmp_path}/ttyNONE", settings, (PRESSURE,), PLACE)
    task = asyncio.create_task(connector.run(sink))
    await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.WAITING)
    assert sink.statuses[-1].error_code == "HL-INSTRUMENT-0010"
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not [row for row in sink.rows(1) if is_good(row[2])]
