"""Cut at any moment, on either side, and begun again: one identifier, each report once, one key. Each moment is tried."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from active_nodes import PREFIX, Works, blocking

from hulian.network.identifiers.active import device
from hulian.network.identifiers.active.device import Carrier, Store, TcpLink
from hulian.network.identifiers.active.device.bodies import Item
from hulian.registry import RegistryError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


class Cut(BaseException):
    """As kill -9: nothing that follows is run, whatever it is."""


class Moments:
    """Ends the program at its ``at``-th step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self) -> None:
        self.left -= 1
        if not self.left:
            raise Cut


class CutStore(Store):
    """A store whose power goes before or behind one of its writings."""

    moments: Moments

    def _write(self, path, content):
        self.moments.step()
        super()._write(path, content)
        self.moments.step()

    def drop(self, sequence):
        self.moments.step()
        super().drop(sequence)


class CutLink:
    """A link that the power leaves before a message goes, or before its answer is read."""

    def __init__(self, link: TcpLink, moments: Moments) -> None:
        self.link, self.moments, self.close, self.address = link, moments, link.close, link.address

    def exchange(self, message):
        self.moments.step()
        answer = self.link.exchange(message)
        self.moments.step()
        return answer


async def through_all_moments(works, serial, work, passphrase=b""):
    """Does ``work`` again and again, cut one step later each time, until it comes to its end; how often it was cut."""
    link, cuts = works.link(), 0
    while True:
        moments = Moments(cuts + 1)
        store = CutStore(works.directory / "made" / serial, passphrase)
        store.moments = moments
        carrier = Carrier(store, CutLink(link, moments))
        try:
            await blocking(work, carrier)
        except Cut:
            cuts += 1
            continue
        link.close()
        return cuts


async def test_a_carrier_is_cut_at_every_moment(works):
    serials = [f"{number}" for number in range(1, 20)]
    works.provision(*serials)

    # Every carrier is cut once, each one step later, and then let through, until one comes to its end.
    link, at = works.link(), 0
    for serial in serials:
        at += 1
        store = CutStore(works.directory / "made" / serial)
        store.moments = Moments(at)
        try:
            await blocking(Carrier(store, CutLink(link, store.moments)).enrol)
            break
        except Cut:
            assert await blocking(works.carrier(serial, link).enrol) == f"{PREFIX}/ACT-{serial}"
    assert at > 6, "steps of an enrolment"
    known = [one for one in works.carriers.page() if one.state == "enrolled"]
    assert len(known) == at
    for one in known:
        carrier = works.carrier(one.serial, link)
        assert (carrier.identifier, carrier.contents.version) == (one.identifier, 1)
        assert carrier._own().public() == one.key
    link.close()

    def reports(carrier):
        while carrier._state.get("delivered", 0) < 5:
            if not carrier.waiting:
                carrier.report([Item("count", carrier._state.get("delivered", 0))])
            carrier.deliver()

    assert await through_all_moments(works, "1", reports) > 8
    await works.until(lambda: len(works.sink.reports) == 5)
    assert works.sink.calls == [f"{PREFIX}/ACT-1/{number}" for number in range(1, 6)]
    assert works.sink.reports[f"{PREFIX}/ACT-1/3"] == (("count", 2),)
    assert works.carriers.find("1").missing == 0

    def rekeys(carrier):
        if carrier.contents.version == 1 or "next" in carrier._state:
            carrier.rekey("EC")
        carrier.resolve(carrier.identifier)

    assert await through_all_moments(works, "2", rekeys) > 6
    carrier, one = works.carrier("2"), works.carriers.find("2")
    assert carrier._own().public() == one.key
    assert carrier.contents.version == one.version
    assert not await blocking(carrier.update)


NODES = [
    ("carriers", "begin"),
    ("_records", "read"),
    ("_records", "put"),
    ("carriers", "published"),
    ("carriers", "finish"),
    ("carriers", "take"),
    ("carriers", "delivered"),
]


@pytest.mark.parametrize("before", [True, False])
async def test_a_node_is_cut_at_every_moment(tmp_path, before):
    """The node ends before or behind each of its writings, and another one takes its registry over."""
    identifier = f"{PREFIX}/ACT-n"
    works = Works(tmp_path)
    works.provision("n")
    for part, name in NODES:
        async with works.running():
            owner = getattr(works.service.desk, part)
            _cut(owner, name, before)
            carrier = works.carrier("n")
            try:
                await blocking(carrier.enrol)
                if name in ("take", "delivered"):
                    await blocking(carrier.report, [Item("cut", name)])
                await blocking(carrier.deliver)
                if name == "delivered":
                    await works.until(lambda sink=works.sink: sink.calls)
            except device.CarrierError:
                pass  # the node could not do it: nobody knows how far it came
        works.registry.close()
        settings = works.sink
        works = Works(tmp_path)
        works.sink = settings
    async with works.running():
        carrier = works.carrier("n")
        assert await blocking(carrier.enrol) == identifier
        await blocking(carrier.deliver)
        await works.until(lambda: not works.carriers.waiting())
        values = {value.type: value.data for value in (await works.resolve(identifier)).values}
        assert values["HS_PUBKEY"] == works.carriers.find("n").key == carrier._own().public()
        told = list(works.sink.reports.values())
        assert sorted(told) == [(("cut", "delivered"),), (("cut", "take"),)], "each once, however often it was handed over"
    assert [one.serial for one in works.carriers.page()] == ["n"]
    works.registry.close()


def _cut(owner, name, before):
    """Once, ``name`` of ``owner`` is not come back from, or not even begun."""
    whole, armed = getattr(owner, name), [True]

    def cut():
        if armed[0]:
            armed[0] = False
            raise RegistryError("the node is gone")

    async def waited(*arguments):
        if before:
            cut()
        found = await whole(*arguments)
        cut()
        return found

    def at_once(*arguments):
        if before:
            cut()
        found = whole(*arguments)
        cut()
        return found

    setattr(owner, name, waited if name in ("read", "put") else at_once)


PROGRAM = """
import json, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path] + [sys.argv[1]]
from device import Carrier, Store, TcpLink
from device.bodies import Item
store = Store(sys.argv[2])
carrier = Carrier(store, TcpLink("127.0.0.1", int(sys.argv[3]), store.load()["ca"]))
print(carrier.enrol("SM2"), flush=True)
while True:
    print(carrier.report([Item("count", 1)]), flush=True)
    carrier.deliver()
"""


async def test_a_device_of_its_own_is_killed(works):
    """A program that has nothing but the device's folder, killed with kill -9 wherever it is, and started again."""
    works.provision("k")
    arguments = [str(Path(device.__file__).parents[1]), str(works.directory / "made" / "k"), str(works.settings.port)]
    kept = 0
    for lines in (1, 5):
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            told = await blocking(lambda process=process, lines=lines: [process.stdout.readline() for _ in range(lines)])
            os.kill(process.pid, signal.SIGKILL)
            error = process.stderr.read()
        assert told[0] == f"{PREFIX}/ACT-k\n", error
        kept = max([kept, *map(int, told[1:])])
    carrier = works.carrier("k")
    await blocking(carrier.deliver)
    one = works.carriers.find("k")
    assert one.sequence >= kept
    assert one.missing == 0
    await works.until(lambda: len(works.sink.calls) == one.sequence)
    assert works.sink.calls == [f"{PREFIX}/ACT-k/{number}" for number in range(1, one.sequence + 1)]
    assert json.loads((works.directory / "made" / "k" / "carrier.json").read_text())["serial"] == "k"


NODE = """
import sys, anyio
from pathlib import Path
from active_nodes import Works

async def run():
    works = Works(Path(sys.argv[1]), port=int(sys.argv[2]))
    works.sink = None
    async with works.running():
        print("ready", flush=True)
        await anyio.sleep_forever()

anyio.run(run)
"""


@pytest.mark.soak
async def test_a_node_of_its_own_is_killed(tmp_path):
    """The node's process is killed with kill -9, again and again, while a carrier enrols and reports."""
    works = Works(tmp_path)
    works.provision("s")
    carrier, receipts = works.carrier("s"), []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parents[3] / "support")])}

    def reports() -> None:
        """Until the node is gone."""
        try:
            carrier.enrol()
            while True:
                if not carrier.waiting:
                    carrier.report([Item("count", len(receipts))])
                receipts.extend(carrier.deliver())
        except device.LinkError:
            return

    for seconds in (0.0, 0.03, 0.1, 0.3, 0.7, 0.9):
        line = [sys.executable, "-c", NODE, str(tmp_path), str(works.settings.port)]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as process:
            await blocking(lambda process=process: next(one for one in process.stdout if one == "ready\n"))
            async with anyio.create_task_group() as group:
                group.start_soon(blocking, reports)
                await anyio.sleep(seconds)
                os.kill(process.pid, signal.SIGKILL)
    numbers = [one.sequence for one in receipts]
    assert len(numbers) > 2
    assert numbers == list(range(1, len(numbers) + 1))
    kept = [one.sequence for one in works.carriers.waiting(10_000)]
    assert kept[: len(numbers)] == numbers, "whatever was acknowledged is kept, once and in order"
    assert len(kept) <= len(numbers) + 1
    one = works.carriers.find("s")
    assert (one.missing, one.identifier, one.key) == (0, carrier.identifier, carrier._own().public())
    works.registry.close()
