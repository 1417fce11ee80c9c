"""Another Handle registry, with a root, services and root data of its own: its prefixes are found from our root."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest
from identifier_nodes import QUICK, Hierarchy, asked, question, site, text

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.chain.follow import Follow
from hulian.network.identifiers.chain.onward import OtherRegistry
from hulian.network.identifiers.junction.configuration import JunctionConfiguration
from hulian.network.identifiers.junction.handles import foreign_root
from hulian.network.identifiers.junction.junction import Junction
from hulian.network.identifiers.nodes.tiers import delegating, enterprise
from hulian.network.identifiers.transport.client import Client
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.codes import OpFlag, ResponseCode
from hulian.network.identifiers.wire.json_form import values_to_json
from hulian.network.identifiers.wire.json_form.structures import site_to_json
from hulian.network.identifiers.wire.root_info import pack_root_info
from hulian.network.identifiers.wire.typed.site import Site

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


class Two:
    """Our root with one enterprise below it, and the registry of somebody else."""

    def __init__(self, nodes: Hierarchy, files: dict[str, Path]) -> None:
        self.nodes, self.files = nodes, files
        self.client = Client(tries=QUICK, tcp_seconds=5)

    def follow(self) -> Follow:
        return Follow(self.nodes.root, self.client)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    nodes = Hierarchy(tmp_path)
    async with anyio.create_task_group() as group:
        nodes.store("theirs").home("0.NA")
        await nodes.serve(group, "theirs", delegating(nodes.stores["theirs"]))
        for prefix in ("10", "10.1045"):
            (nodes.stores.get("theirs-10") or nodes.store("theirs-10")).home(prefix)
        await nodes.serve(group, "theirs-10", enterprise(nodes.stores["theirs-10"]))
        nodes.stores["theirs"].create_many(
            [
                # As the global registry has it: the prefix names a service, and that has a handle of the root's own.
                ("0.NA/10", [text("HS_SERV.PREFIX", "0.GHR/10")]),
                ("0.NA/10.1045", [text("HS_SERV", "0.GHR/10")]),
                ("0.GHR/10", [site(nodes.ports["theirs-10"])]),
                ("0.NA/88.111.1", [site(nodes.ports["theirs-10"])]),
            ]
        )
        nodes.stores["theirs-10"].home("88.111.1")
        nodes.stores["theirs-10"].create_many(
            [
                ("10.1045/may99", [text("URL", "https://example.org/may99", ttl=60)]),
                ("88.111.1/x", [text("URL", "https://forged")]),
            ]
        )
        values = [site(nodes.ports["theirs"])]
        files = {
            "root_info": pack_root_info(values),
            "bootstrap.json": json.dumps({"responseCode": 1, "handle": "0.NA/0.NA", "values": values_to_json(values)}).encode(),
            "siteinfo.json": msgspec.json.encode(site_to_json(Site.unpack(values[0].data))),
            "siteinfo.bin": values[0].data,
        }
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        paths = {name: tmp_path / name for name in files}
        nodes.store("root").home("0.NA")
        other = OtherRegistry(("10", "20"), foreign_root(paths["bootstrap.json"]))
        await nodes.serve(group, "root", delegating(nodes.stores["root"], other=other))
        nodes.store("own").home("88.111.1")
        nodes.stores["own"].create("88.111.1/x", [text("URL", "https://example.com/own")])
        await nodes.serve(group, "own", enterprise(nodes.stores["own"]))
        nodes.root = (site(nodes.ports["root"]),)
        nodes.delegate("root", "88.111.1", "own")
        with contextlib.suppress(GeneratorExit):
            yield Two(nodes, paths)
        group.cancel_scope.cancel()
    for registry in nodes.registries:
        registry.close()


async def test_from_our_root_the_prefixes_of_the_other_registry_are_found_and_ours_stay_ours(two):
    found = await two.follow().resolve(ResolveRequest("10.1045/may99"))
    assert (found.code, found.values[0].data) == (1, b"https://example.org/may99")
    assert [(hop.handle, hop.code, two_name(two, hop.target)) for hop in found.path] == [
        ("0.NA/10.1045", 303, "root"),
        ("0.NA/10.1045", 1, "theirs"),
        ("0.GHR/10", 303, "root"),
        ("0.GHR/10", 1, "theirs"),
        ("10.1045/may99", 1, "theirs-10"),
    ]
    own = await two.follow().resolve(ResolveRequest("88.111.1/x"))
    assert own.values[0].data == b"https://example.com/own", "the other registry has no say in it"
    assert "theirs" not in {two_name(two, hop.target) for hop in own.path}
    for missing in ("10.1045/nothing", "20.500/x", "10.9999/x", "100.1/x", "88.111.2/x"):
        assert (await two.follow().resolve(ResolveRequest(missing))).code == ResponseCode.HANDLE_NOT_FOUND, missing
    not_asked = await asked(two.nodes, "root", question("0.NA/100.1"))
    assert not_asked.response_code == ResponseCode.HANDLE_NOT_FOUND, "only what is theirs is referred"
    here = question("0.NA/10.1045", flags=(OpFlag.PUBLIC_ONLY | OpFlag.DO_NOT_REFER).value)
    assert (await asked(two.nodes, "root", here)).response_code == ResponseCode.HANDLE_NOT_FOUND


def two_name(two: Two, target: str) -> str:
    return next(name for name, port in two.nodes.ports.items() if target.endswith(f":{port}"))


@pytest.mark.parametrize("form", ["root_info", "bootstrap.json", "siteinfo.json", "siteinfo.bin"])
async def test_the_junction_begins_at_the_other_root_in_every_form_of_root_data(two, form):
    settings = JunctionConfiguration(global_root=str(two.files[form]), global_prefixes=("10",))
    junction = Junction(settings, two.follow, two.client)
    found = await junction.resolve("https://doi.org/10.1045/may99")
    assert (found.code, found.system, found.values[0].data) == (1, "handle-global", b"https://example.org/may99")
    assert [step.asked for step in found.path] == ["0.NA/10.1045", "0.GHR/10", "10.1045/may99"]
    assert 0 < found.seconds <= 60
    assert (await junction.resolve("10.1045/may99")).cached
    assert not (await junction.resolve("10.1045/MAY99")).cached, "another registry may tell suffixes apart"
    own = await junction.resolve("88.111.1/x")
    assert (own.system, own.cached, own.values[0].data) == ("handle", False, b"https://example.com/own")


async def test_root_data_that_are_none_are_named(tmp_path):
    for content in (
        b"",
        b"{}",
        b"[1]",
        b"{",
        b"\0\1\0",
        b"[" * 100_000,
        b'{"values": [{"index": 1}]}',
        os.urandom(64),
        pack_root_info([]),
    ):
        path = tmp_path / "broken"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="root data"):
            foreign_root(path)
    with pytest.raises(ConfigurationError, match="nowhere"):
        foreign_root(tmp_path / "nowhere")


@pytest.mark.samples("handle/root_info")
def test_the_root_data_of_the_global_registry_are_read():
    path = Path(os.environ["HULIAN_SAMPLES"], "handle", "root_info")
    values = foreign_root(path)
    assert sum(value.type == "HS_SITE" for value in values) == 8
    assert {value.data for value in values if value.type == "HS_SERV"} >= {b"0.GHR/10", b"0.GHR/20"}
    assert Follow(values, Client())
