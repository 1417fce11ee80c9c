"""LLRP: octets of recorded readers, sllurp against the simulator, the client against the simulator, and noise."""

from __future__ import annotations

import contextlib
import functools
import ssl
import struct
import threading

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sllurp.llrp import LLRPMessage, LLRPReaderClient, LLRPReaderConfig

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.carriers.errors import LlrpError, LlrpFormatError, ReaderError, UnreachableError
from hulian.network.identifiers.carriers.llrp import messages
from hulian.network.identifiers.carriers.llrp.client import Settings, open_reader
from hulian.network.identifiers.carriers.llrp.codec import (
    MAXIMUM_MESSAGE,
    Frames,
    Message,
    parameter,
    parameters,
    short_parameter,
)
from hulian.network.identifiers.carriers.llrp.messages import Order, TagReport
from hulian.network.identifiers.carriers.llrp.numbers import MessageType, ParameterType
from hulian.network.identifiers.carriers.llrp.simulator import Simulator
from hulian.network.identifiers.schemes import recognise
from hulian.trust.certificates import CertificateAuthority

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

SGTIN = bytes.fromhex("3074257bf7194e4000001a85")
TAG = TagReport(SGTIN, 96, 1, -43, 1_700_000_000_000_000, 1_700_000_000_500_000, 3, 0x3000)
SHORT = TagReport(bytes.fromhex("1122334455"), 40, 2, -70, 1, 2, 1, 0x1800)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@contextlib.asynccontextmanager
async def simulated(tls=None, **options):
    simulator = Simulator(**options)
    async with anyio.create_task_group() as tasks:
        await tasks.start(functools.partial(simulator.serve, tls=tls))
        yield simulator
        tasks.cancel_scope.cancel()


def settings(simulator, **options):
    return Settings("127.0.0.1", simulator.port, **{"shortest_wait": 0.02, "timeout": 30, **options})


async def until(condition):
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


async def following(reports):
    with anyio.fail_after(60):
        return await anext(aiter(reports))


async def test_octets_of_recorded_readers():
    assert messages.status().hex() == "011f000800000000"
    event = bytes.fromhex("00f60016" + "0080000c" + "0005f9b2d0f4a3c0" + "010000060000")
    assert messages.attempt_of(event) == (0, False)
    assert [(each.type, len(each.value)) for each in parameters(event[4:])] == [(128, 8), (256, 2)]


async def test_another_client_reads_our_reports():
    octets = Message(MessageType.RO_ACCESS_REPORT, 7, messages.encode_report([TAG, SHORT])).encode()
    read = LLRPMessage(msgbytes=octets).msgdict["RO_ACCESS_REPORT"]["TagReportData"]
    assert [each["EPC"] for each in read] == [b"3074257bf7194e4000001a85", b"1122334455"]
    assert [each["AntennaID"] for each in read] == [1, 2]
    assert [each["PeakRSSI"] for each in read] == [-43, -70]
    assert read[0]["FirstSeenTimestampUTC"] == TAG.first_seen
    assert read[0]["LastSeenTimestampUTC"] == TAG.last_seen
    assert read[0]["TagSeenCount"] == 3


@pytest.mark.parametrize("newest", [1, 2])
async def test_another_client_takes_an_inventory_of_the_simulator(newest):
    """sllurp reads capabilities, configures, adds and enables its order, gets reports, and leaves."""
    got, arrived = [], threading.Event()
    fields = ("ROSpecID", "SpecIndex", "InventoryParameterSpecID", "AntennaID", "ChannelIndex", "PeakRSSI")
    fields += ("FirstSeenTimestamp", "LastSeenTimestamp", "TagSeenCount", "AccessSpecID")
    wanted = {f"Enable{field}": field in ("AntennaID", "PeakRSSI", "FirstSeenTimestamp", "TagSeenCount") for field in fields}
    async with simulated(newest=newest) as simulator:
        config = LLRPReaderConfig({"antennas": [1, 2], "report_every_n_tags": 1, "tag_content_selector": wanted})
        client = LLRPReaderClient("127.0.0.1", simulator.port, config)
        client.add_tag_report_callback(lambda _, tags: (got.extend(tags), arrived.set()))
        await anyio.to_thread.run_sync(client.connect)
        try:
            with anyio.fail_after(60):
                await simulator.active.wait()
            assert await simulator.show([TAG, SHORT]) == 2
            assert await anyio.to_thread.run_sync(arrived.wait, 20)
            assert [(each["EPC"], each["AntennaID"], each["PeakRSSI"]) for each in got] == [
                (b"3074257bf7194e4000001a85", 1, -43),
                (b"1122334455", 2, -70),
            ]
            assert all("LastSeenTimestampUTC" not in each for each in got)
        finally:
            await anyio.to_thread.run_sync(client.disconnect, 5)
            # It waits for an answer only after it has asked, so that a quick one may pass it by: then it leaves without a word.
            await anyio.to_thread.run_sync(client.hard_disconnect)
        await until(lambda: not simulator.connected)


@pytest.mark.parametrize(("newest", "version"), [(1, 0), (2, 0), (1, 1), (2, 1), (2, 2)])
async def test_an_inventory(newest, version):
    async with simulated(newest=newest) as simulator:
        async with open_reader(settings(simulator, version=version, order=Order(9, (1, 2)))) as reader:
            assert simulator.active.is_set()
            assert list(simulator.orders) == [9]
            assert await simulator.show([TAG, SHORT]) == 2
            assert [await following(reader), await following(reader)] == [TAG, SHORT]
            assert TAG.code().identity == recognise("urn:epc:id:sgtin:0614141.812345.6789")
        await until(lambda: not simulator.connected)
        # Left politely: the order is gone from the reader, too.
        assert simulator.orders == {}


async def test_what_a_reader_leaves_out_is_none_and_an_iso_code_is_recognised():
    bank = messages.EpcBank.of_iso("25SVAA08810012345678/ABC123")
    octets = messages.encode_report([TagReport(bank.content, 8 * len(bank.content), control=0x01A1), TagReport(SGTIN, 96)])
    iso, bare = messages.read_report(octets + parameter(900, b"a vendor's own"))
    assert iso.code() == recognise("VAA08810012345678/ABC123")
    assert bare == (SGTIN, 96, None, None, None, None, None, None)
    assert bare.code().layout == "sgtin-96"


async def test_keepalives_are_answered_and_their_absence_is_noticed():
    async with simulated() as simulator, open_reader(settings(simulator, keepalive=0.05)) as reader:
        await until(lambda: simulator.acknowledged >= 5)
        assert (reader.connections, reader.error) == (1, None)
        simulator.mute = True
        await until(lambda: reader.error is not None)
        assert reader.error.rule == "llrp.silence"
        simulator.mute = False
        await until(lambda: reader.connections == 2)
        await simulator.show([TAG])
        assert await following(reader) == TAG


async def test_a_lost_connection_is_made_again_with_its_inventory():
    async with simulated() as simulator, open_reader(settings(simulator)) as reader:
        for number in range(2, 4):
            await simulator.drop()
            await until(lambda number=number: reader.connections == number)
            assert await simulator.show([TAG]) == 1
            assert await following(reader) == TAG
        assert (simulator.served, reader.error) == (3, None)


@pytest.mark.parametrize(
    "octets", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x04\x3d\xff\xff\xff\xff\0\0\0\0", b"\x04\x3d\0\0\0\x0d\0\0\0\1\x8d\0\0"]
)
async def test_a_reader_that_talks_nonsense_is_left_and_tried_again(octets):
    async with simulated() as simulator, open_reader(settings(simulator)) as reader:
        await simulator.send(octets)
        await until(lambda: reader.connections == 2)
        await simulator.show([TAG])
        assert await following(reader) == TAG


async def test_what_nobody_reads_is_dropped_and_counted():
    async with simulated() as simulator, open_reader(settings(simulator, buffer=10)) as reader:
        await simulator.show([TAG] * 25)
        await until(lambda: reader.dropped == 15)
        assert [await following(reader) for _ in range(10)] == [TAG] * 10


async def test_the_first_connection_tells_what_is_wrong():
    async with simulated() as simulator:
        async with open_reader(settings(simulator)):
            # The reader has no room for one order more.
            simulator.orders.update(dict.fromkeys(range(100, 163), simulator.orders[1]))
            with pytest.raises(ReaderError, match="another client") as refused:
                async with open_reader(settings(simulator)):
                    pass
        assert (refused.value.status, refused.value.rule) == (2, "llrp.greeting")
        await until(lambda: not simulator.connected)
        simulator.orders[163] = simulator.orders[100]
        with pytest.raises(ReaderError) as refused:
            async with open_reader(settings(simulator)):
                pass
        assert (refused.value.status, refused.value.code) == (101, "HL-ID-0632")
        port = simulator.port
    with pytest.raises(UnreachableError, match=str(port)):
        async with open_reader(Settings("127.0.0.1", port, timeout=1)):
            pass


@pytest.mark.parametrize("wrong", [{"version": 3}, {"keepalive": 0}, {"timeout": 0}, {"buffer": 0}, {"shortest_wait": 0}])
async def test_settings_that_cannot_be_kept_are_refused(wrong):
    with pytest.raises(LlrpError) as raised:
        Settings("127.0.0.1", **wrong)
    assert raised.value.rule == "llrp.settings"


@pytest.mark.parametrize("wrong", [{"id": 0}, {"antennas": ()}, {"antennas": (70_000,)}, {"every": 0}])
async def test_orders_that_no_reader_takes_are_refused(wrong):
    with pytest.raises(LlrpError) as raised:
        Order(**wrong)
    assert raised.value.rule == "llrp.order"


async def test_a_port_of_another_protocol_is_told():
    async def greet(stream):
        async with stream:
            await stream.send(b"220 mail.example.com ESMTP\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, greet)
        with pytest.raises(LlrpFormatError) as raised:
            async with open_reader(Settings("127.0.0.1", listener.extra(anyio.abc.SocketAttribute.local_port), timeout=2)):
                pass
        assert "5084" in raised.value.hint
        tasks.cancel_scope.cancel()


async def test_over_tls_the_reader_must_be_who_it_is(tmp_path):
    authority = CertificateAuthority(tmp_path, "test")
    issued = authority.server_certificate(["127.0.0.1"])
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(issued.certificate, issued.key)
    async with simulated(tls=serving) as simulator:
        trusting = ssl.create_default_context(cafile=str(authority.root_file()))
        async with open_reader(settings(simulator, tls=trusting)) as reader:
            await simulator.show([TAG])
            assert await following(reader) == TAG
        with pytest.raises(UnreachableError, match="certificate"):
            async with open_reader(settings(simulator, tls=ssl.create_default_context())):
                pass


async def test_a_silent_port_is_given_up():
    async def silent(stream):
        async with stream:
            await anyio.sleep_forever()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, silent)
        with pytest.raises(UnreachableError, match="silent"):
            async with open_reader(Settings("127.0.0.1", listener.extra(anyio.abc.SocketAttribute.local_port), timeout=0.2)):
                pass
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("octets", "rule"),
    [
        ("003d" + "0000000a" + "00000001", "llrp.version"),
        ("103d" + "0000000a" + "00000001", "llrp.version"),
        ("043d" + "00000009" + "00000001", "llrp.length"),
        ("043d" + "00100001" + "00000001", "llrp.length"),
        ("043d" + "ffffffff" + "00000001", "llrp.length"),
    ],
)
async def test_lengths_are_checked_before_anything_is_kept(octets, rule):
    with pytest.raises(LlrpFormatError) as raised:
        Frames().feed(bytes.fromhex(octets))
    assert raised.value.rule == rule


async def test_bounds_when_writing():
    with pytest.raises(LlrpFormatError):
        Message(61, 1, bytes(MAXIMUM_MESSAGE)).encode()
    with pytest.raises(LlrpFormatError):
        parameter(240, bytes(70_000))
    with pytest.raises(LlrpFormatError):
        Message(5000, 1).encode()


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("00", "llrp.parameter"),
        ("00f00003", "llrp.parameter-length"),
        ("00f00005", "llrp.parameter-length"),
        ("00f0000581", "llrp.parameter-length"),
        ("00f00005ff", "llrp.parameter"),
        ("00f00004", "llrp.epc"),
        ("00f0000b" + "00f100070060" + "11", "llrp.epc"),
        ("00f0000a" + "00f10006ffff", "llrp.epc"),
    ],
)
async def test_damaged_reports_are_told(body, rule):
    with pytest.raises(LlrpFormatError) as raised:
        messages.read_report(bytes.fromhex(body))
    assert raised.value.rule == rule


REPORTS = st.builds(
    lambda epc, *rest: TagReport(epc, 8 * len(epc), *rest),
    st.binary(max_size=64),
    *(
        st.none() | st.integers(low, high)
        for low, high in ((0, 65535), (-128, 127), (0, 2**64 - 1), (0, 2**64 - 1), (0, 65535), (0, 65535))
    ),
)


@given(st.lists(REPORTS, max_size=5))
def test_any_report_comes_back(reports):
    assert messages.read_report(messages.encode_report(reports)) == reports


@given(
    st.lists(
        st.builds(Message, st.integers(0, 1023), st.integers(0, 2**32 - 1), st.binary(max_size=50), st.sampled_from([1, 2])),
        max_size=5,
    ),
    st.integers(1, 30),
)
def test_messages_come_back_in_any_pieces(sent, piece):
    octets = b"".join(message.encode() for message in sent)
    frames, found = Frames(), []
    for begin in range(0, len(octets), piece):
        found += frames.feed(octets[begin : begin + piece])
    assert found == sent


@pytest.mark.fuzz
@given(st.binary(max_size=120), st.integers(0, 200), REPORTS)
def test_noise_is_refused_by_name(noise, place, report):
    good = messages.encode_report([report]) + short_parameter(ParameterType.ROSPEC_ID, 1)
    place %= len(good)
    for body in (noise, good[:place] + noise + good[place + len(noise) :]):
        for read in (messages.read_report, messages.attempt_of, lambda data: messages.check_status(data, "noise")):
            with contextlib.suppress(LlrpError):
                for each in read(body) or ():
                    if isinstance(each, TagReport):
                        with contextlib.suppress(HulianError):
                            each.code()
        frames = Frames()
        with contextlib.suppress(LlrpFormatError):
            frames.feed(struct.pack(">HII", 1 << 10 | 61, 10 + len(body), 1) + body)
            frames.feed(body)
