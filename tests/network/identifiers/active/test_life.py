"""A carrier from the factory on: it enrols, reports, resolves, takes new contents and keys, and is revoked. Over TLS."""

from __future__ import annotations

import json

import pytest
from active_nodes import PREFIX, Works, blocking
from identifier_nodes import URL, hierarchy, question

from hulian.network.identifiers.active.device import RefusedError
from hulian.network.identifiers.active.device.bodies import Item
from hulian.network.identifiers.chain.contract import Asker
from hulian.network.identifiers.nodes.beginning import node_key
from hulian.network.identifiers.nodes.configuration import Role
from hulian.network.identifiers.wire.codes import OpFlag, ResponseCode

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


async def test_the_life_of_a_carrier(works):
    works.provision("0001", terminal="module", owner="Works 1", imei="490154203237518")
    carrier = works.carrier("0001")
    assert carrier.identifier == ""
    identifier = await blocking(carrier.enrol)
    assert identifier == f"{PREFIX}/ACT-0001"
    assert await blocking(carrier.enrol) == identifier

    found = {value.type: value.data for value in (await works.resolve(identifier)).values}
    assert found["HULIAN.DATA"] == f"https://data.example/points?thing={identifier}".encode()
    assert json.loads(found["HULIAN.CARRIER"]) == {"state": "active", "terminal": "module"}
    assert "HULIAN.MASTER" not in found, "whose it is, and its IMEI, are not for everybody"
    assert found["HULIAN.CERTIFICATE"].decode() == carrier.contents.certificate

    for value in (1.5, "two", None):
        await blocking(carrier.report, [Item("temperature", value), Item("count", 7, 1_700_000_000_000_000_000)])
    receipts = await blocking(carrier.deliver)
    assert [(one.sequence, one.duplicate) for one in receipts] == [(1, False), (2, False), (3, False)]
    await works.until(lambda: len(works.sink.reports) == 3)
    assert works.sink.calls == [f"{identifier}/{number}" for number in (1, 2, 3)]
    assert works.sink.reports[f"{identifier}/2"] == (("temperature", "two"), ("count", 7))
    assert carrier.waiting == 0

    assert {value.type for value in await blocking(carrier.resolve, identifier)} >= {"HULIAN.DATA"}
    assert [value.type for value in await blocking(carrier.resolve, "0.NA/0.NA", ["HS_SITE"])] == ["HS_SITE"]

    works.carriers.settle("0001", {"interval_s": 10})
    assert await blocking(carrier.update)
    assert (carrier.contents.version, carrier.contents.settings) == (2, {"interval_s": 10})
    assert works.carriers.find("0001").installed == 2
    assert not await blocking(carrier.update)

    before = {value.type: value.data for value in (await works.resolve(identifier)).values}["HS_PUBKEY"]
    await blocking(carrier.rekey, "SM2")
    after = {value.type: value.data for value in (await works.resolve(identifier)).values}["HS_PUBKEY"]
    assert before != after
    assert carrier.contents.version == 3
    await blocking(carrier.report, [Item("temperature", 2.5)])
    await blocking(carrier.deliver)

    works.carriers.revoke("0001")
    await blocking(carrier.report, [Item("temperature", 3.5)])
    with pytest.raises(RefusedError) as refused:
        await blocking(carrier.deliver)
    assert refused.value.response_code in (ResponseCode.NOT_PERMITTED, ResponseCode.INVALID_ADMIN)
    await works.until(lambda: works.carriers.find("0001").published == works.carriers.find("0001").revision)
    found = {value.type: value.data for value in (await works.resolve(identifier)).values}
    assert json.loads(found["HULIAN.CARRIER"])["state"] == "revoked"
    assert not {"HS_PUBKEY", "HULIAN.CERTIFICATE"} & found.keys()
    with pytest.raises(RefusedError):
        await blocking(carrier.deliver)
    assert f"{identifier}/5" not in works.sink.reports


async def test_a_carrier_asks_for_names_of_other_nodes(tmp_path):
    """Its node, an enterprise's, follows them from the root; it does so for carriers that are enrolled, and for nobody else."""
    async with hierarchy(tmp_path) as country:
        works = Works(tmp_path)
        works.role, works.root = Role.ENTERPRISE, country.root
        works.provision("a", "b")
        async with works.running():
            carrier, other = works.carrier("a"), works.carrier("b")
            for one in (carrier, other):
                await blocking(one.enrol)
            found = await blocking(carrier.resolve, "88.111.1/alias")
            assert [(value.type, value.data) for value in found] == [("URL", URL.encode())]
            for name, code in (("88.111.1/none", ResponseCode.HANDLE_NOT_FOUND), ("77/none", ResponseCode.HANDLE_NOT_FOUND)):
                with pytest.raises(RefusedError) as refused:
                    await blocking(carrier.resolve, name)
                assert refused.value.response_code == code
            # A key that was a carrier's, none at all, and one that is known and none of a carrier's.
            works.carriers.revoke("b")
            with pytest.raises(RefusedError):
                await blocking(other.resolve, "88.111.1/ITEM7")
            asked = question("88.111.1/ITEM7", OpFlag.RECURSIVE.value | OpFlag.PUBLIC_ONLY.value)
            answers = [
                await works.service._asked(asked, Asker(address="stranger", who=who)) for who in (None, node_key(PREFIX))
            ]
            assert [one.response_code for one in answers] == [
                ResponseCode.AUTHENTICATION_NEEDED,
                ResponseCode.NOT_RESPONSIBLE,
            ]
        works.registry.close()
