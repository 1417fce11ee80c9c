"""The key of a node gives way to another one; who resolves and registers meanwhile, with signed answers, sees nothing of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import anyio
import msgspec
import pytest
from identifier_nodes import _migrated, text

from hulian.assembly import identifier_key, rollover
from hulian.assembly.configuration import Configuration
from hulian.assembly.identifier_key import key_file, own_key, proving, read_rolling
from hulian.assembly.identifiers import identifier_node, root_data, root_file
from hulian.assembly.preparation import open_registry
from hulian.cli import main
from hulian.kernel.configuration import load
from hulian.network.identifiers.chain import lookup
from hulian.network.identifiers.chain.administer import Administer
from hulian.network.identifiers.chain.errors import RefusedError, SecurityError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.nodes.beginning import ADMIN, KEY, admin_value, key_value, node_key, site_value
from hulian.network.identifiers.nodes.errors import RolloverError
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.transport.connection import connection
from hulian.network.identifiers.wire.authentication import KeyIdentity, signer_for
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.values import unpack_values

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


_loaded = cache(identifier_key.load_key)


@cache
def key_of_node(_name: str) -> bytes:
    return identifier_key.new_key()


class Two:
    """A root that 88 lives at, and the enterprise 88.1 below it: nodes as they are run, each with its own folder and key."""

    def __init__(self, directory: Path, ports) -> None:
        self.files = {name: directory / f"{name}.toml" for name in ("root", "enterprise")}
        self.ports = {name: ports() for name in self.files}
        more = {"root": 'role = "root"\nprefixes = ["88"]\n'}
        data = directory / "root" / "identifiers" / "root_info"
        more["enterprise"] = f'role = "enterprise"\nprefixes = ["88.1"]\nroot = "{data}"\n'
        for name, path in self.files.items():
            head = f'[node]\ndata = "{directory / name}"\n[identifiers]\nport = {self.ports[name]}\nrest_port = 0\n'
            path.write_text(head + more[name])
            (directory / name).mkdir()
            (directory / name / "registry.db").write_bytes(_migrated())
            (directory / name / "identifiers").mkdir(mode=0o700)
            (directory / name / "identifiers" / "administrator.pem").write_bytes(key_of_node(name))
            (directory / name / "identifiers" / "administrator.pem").chmod(0o600)

    def configuration(self, name: str) -> Configuration:
        return load(self.files[name], Configuration)

    def follow(self, *, signed: bool = True) -> Follow:
        return Follow(root_data(root_file(self.configuration("root"))), Client(), signed=signed)

    def administer(self, name: str, follow: Follow | None = None, key=None) -> Administer:
        configuration = self.configuration(name)
        index, own = proving(configuration)
        signer = own.signer if key is None else signer_for(key)
        prefix = {"root": "88", "enterprise": "88.1"}[name]
        return Administer(follow or self.follow(), connection, KeyIdentity(f"0.NA/{prefix}", KEY if key else index, signer))

    async def start(self, group: anyio.abc.TaskGroup, stack: contextlib.ExitStack, name: str) -> RecordStore:
        registry = open_registry(self.configuration(name))
        stack.callback(registry.close)
        node = identifier_node(self.configuration(name), registry)
        await group.start(node.run)
        return node._store


@pytest.fixture
async def two(tmp_path, ports, monkeypatch) -> AsyncIterator[Two]:
    monkeypatch.setattr(lookup, "SECONDS", 0.1)
    # Keys are real; each is made and read once, which is most of the work here.
    monkeypatch.setattr(rollover, "new_key", lambda: key_of_node("incoming"))
    monkeypatch.setattr(identifier_key, "load_key", _loaded)
    monkeypatch.setattr(rollover, "load_key", _loaded)
    monkeypatch.setattr(rollover, "_LOOK", 0.02)
    made = Two(tmp_path, ports)
    with contextlib.ExitStack() as stack:
        async with anyio.create_task_group() as group:
            made.above = await made.start(group, stack, "root")
            key = own_key(made.configuration("enterprise"))
            async with made.administer("root") as by:
                own = msgspec.structs.replace(site_value("127.0.0.1", made.ports["enterprise"], key), ttl=1)
                await by.create("0.NA/88.1", [own, admin_value(node_key("88.1"), index=ADMIN), key_value(key)])
            made.below = await made.start(group, stack, "enterprise")
            yield made
            group.cancel_scope.cancel()


class Busy:
    """Somebody who has resolved before and goes on, who comes new, and who registers; all want signed answers."""

    def __init__(self, two: Two) -> None:
        self._two = two
        self._follow = two.follow()
        self.rounds = 0
        self.failures: list[str] = []

    async def run(self) -> None:
        while True:
            try:
                await self._round()
            except Exception as error:
                self.failures.append(repr(error))
            self.rounds += 1

    async def _round(self) -> None:
        handle = f"88.1/item{self.rounds}"
        async with self._two.administer("enterprise") as by:
            await by.create(handle, [text("URL", "https://example.com")])
        async with self._two.administer("enterprise", self._follow) as by:
            await by.modify(handle, [text("URL", f"https://example.com/{self.rounds}")])
        for follow in (self._follow, self._two.follow()):
            found = await follow.resolve(ResolveRequest(handle))
            assert (found.code, found.values[0].data) == (1, f"https://example.com/{self.rounds}".encode())

    async def more(self, count: int) -> None:
        wanted = self.rounds + count
        with anyio.fail_after(60):
            while self.rounds < wanted and not self.failures:
                await anyio.sleep(0.01)
        assert self.failures == []

    async def forgets(self, serial: int) -> None:
        """The site record is believed for a second here, and then read again: an overlap is longer than that."""
        with anyio.fail_after(60):
            while any(site.serial < serial for _, sites, _ in self._follow._services.values() for site in sites):
                await self.more(1)


async def test_an_enterprise_rolls_over_while_it_is_asked(two, monkeypatch):
    old = own_key(two.configuration("enterprise"))
    busy, follow = Busy(two), two.follow(signed=False)
    async with anyio.create_task_group() as group:
        group.start_soon(busy.run)
        await busy.more(2)

        async def settled(_seconds: float) -> None:
            await busy.more(2)  # what was under way is over, on however slow a machine
            await anyio.sleep(0.2)

        monkeypatch.setattr(rollover, "_settled", settled)
        state = await rollover.begin(two.configuration("enterprise"), follow, overlap=3600)
        assert state.stage == "overlap"
        await busy.more(2)
        # Both keys stand in the record at the node above, and both prove the same.
        record = {value.index: value for value in unpack_values(two.above.packed(b"0.NA/88.1"))}
        assert record[300].data == key_value(old).data != record[301].data
        async with two.administer("enterprise", key=old) as by:
            await by.create("88.1/by-the-old-key", [text("URL", "x")])
        with pytest.raises(RolloverError, match="both keys are good"):
            await rollover.finish(two.configuration("enterprise"), follow)
        assert (await rollover.begin(two.configuration("enterprise"), follow)) == state, "it is begun once"
        await busy.forgets(state.serial)
        await rollover.finish(two.configuration("enterprise"), follow, early=True)
        await busy.more(2)
        group.cancel_scope.cancel()
    new = own_key(two.configuration("enterprise"))
    record = unpack_values(two.above.packed(b"0.NA/88.1"))
    assert sorted(value.index for value in record) == [1, 100, 300]
    assert {value.data for value in record if value.index == 300} == {key_value(new).data} != {key_value(old).data}
    async with two.administer("enterprise", key=old) as by:
        with pytest.raises(RefusedError, match="response code 403"):
            await by.create("88.1/too-late", [text("URL", "x")])
    assert two.below.packed(key_of("88.1/too-late")) is None
    assert not (key_file(two.configuration("enterprise")).parent / "incoming.pem").exists()
    assert oct(key_file(two.configuration("enterprise")).stat().st_mode)[-3:] == "600"


async def test_the_root_rolls_over_and_clients_with_the_old_root_data_do_not_notice(two):
    busy, follow = Busy(two), two.follow(signed=False)
    before = two.follow()
    async with anyio.create_task_group() as group:
        group.start_soon(busy.run)
        await busy.more(1)
        await rollover.begin(two.configuration("root"), follow, settle=0.3)
        await busy.more(2)
        assert (await before.resolve(ResolveRequest("88.1/item0"))).code == 1
        assert (await before.resolve(ResolveRequest("0.NA/88"))).code == 1
        await rollover.finish(two.configuration("root"), two.follow(signed=False), early=True, settle=0.3)
        assert (await two.follow().resolve(ResolveRequest("0.NA/88"))).code == 1
        group.cancel_scope.cancel()
    # Root data are not looked up: whoever still has the old ones after the overlap needs the new file.
    with pytest.raises(SecurityError), anyio.fail_after(60):
        await _again_and_again(before)


async def _again_and_again(follow: Follow) -> None:
    while True:
        await follow.resolve(ResolveRequest("0.NA/88"))


async def _cut(*_: object, **__: object) -> None:
    raise InterruptedError


async def test_the_commands_and_what_is_refused_or_cut_short(two, monkeypatch, capsys):
    configuration, follow = two.configuration("enterprise"), two.follow(signed=False)
    with pytest.raises(RolloverError, match="no roll-over"):
        await rollover.finish(configuration, follow)
    async with two.administer("enterprise") as by:
        await by.add("0.NA/88.1", [text("NOTE", "mine", 301)])
        before = two.above.packed(b"0.NA/88.1")
        with pytest.raises(RolloverError, match="is taken"):
            await rollover.begin(configuration, follow)
        assert two.above.packed(b"0.NA/88.1") == before
        assert read_rolling(configuration) is None
        await by.remove("0.NA/88.1", [301])

    def hulian(*arguments: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as ended:
            main(["identifiers", "rollover", *arguments, "-c", str(two.files["enterprise"])])
        out, err = capsys.readouterr()
        return ended.value.code, out + err

    async def run(*arguments: str) -> tuple[object, str]:
        return await anyio.to_thread.run_sync(lambda: hulian(*arguments))

    assert await run("status") == (0, "The node has the key that it began with.\n")
    with monkeypatch.context() as patched:
        patched.setattr(Administer, "add", _cut)
        with pytest.raises(InterruptedError):
            await rollover.begin(configuration, follow)
    assert read_rolling(configuration).stage == "prepared"
    assert (await two.follow().resolve(ResolveRequest("88.1/none"))).code == 100
    monkeypatch.setattr(rollover, "_settled", lambda _seconds: anyio.sleep(0.3))
    assert (await run("begin", "--overlap", "2"))[0] == 0
    code, told = await run("finish")
    assert (code, "both keys are good" in told, "--early" in told) == (1, True, True)
    code, told = await run("status", "--json")
    assert (code, '"stage": "overlap"' in told) == (0, True)
    with monkeypatch.context() as patched:
        patched.setattr(Administer, "remove", _cut)
        with pytest.raises(InterruptedError):
            await rollover.finish(configuration, follow, early=True, settle=0.2)
    assert read_rolling(configuration).stage == "withdrawing"
    async with two.administer("enterprise") as by:
        await by.create("88.1/between", [text("URL", "x")])
    assert (await rollover.finish(configuration, follow, early=True, settle=0.2)).stage == "done"
    async with two.administer("enterprise") as by:
        await by.create("88.1/after", [text("URL", "x")])
