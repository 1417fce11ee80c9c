"""Applications over HTTP at a second-level node that runs, and what resolves before and after."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator

import anyio
import msgspec
import pytest
from applicants import applicant_key, free_port, office, proposal
from identifier_nodes import NODE_KEY, Hierarchy, admin, private_key, public_key, text
from rest_nodes import _values

from hulian.network.identifiers.nodes.beginning import node_key
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role
from hulian.network.identifiers.nodes.service import NodeService
from hulian.network.identifiers.nodes.tiers import delegating_inside
from hulian.network.identifiers.provisioning.errors import AnsweredError
from hulian.network.identifiers.transport.rest.contract import Node, Signing
from hulian.network.identifiers.transport.rest.errors import PlainHttpError
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.provisioning import applications, enterprise, second_level
from hulian.network.identifiers.transport.rest.requests import Request
from hulian.network.identifiers.transport.rest.sessions import Sessions
from hulian.network.identifiers.wire.authentication import KeyIdentity, signer_for
from hulian.network.identifiers.wire.bodies import ResolveRequest
from hulian.network.identifiers.wire.codes import AdminPermission, ResponseCode
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.values import Reference

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


async def found_by_a_stranger(plant: Hierarchy, handle: str) -> tuple[int, list[bytes]]:
    """What a client finds that knows nothing but the root data."""
    answer = await plant.client().resolve(ResolveRequest(handle))
    return answer.code, [value.data for value in answer.values]


@contextlib.asynccontextmanager
async def own_node(plant: Hierarchy, prefix: str, port: int) -> AsyncIterator[None]:
    """The applicant's own node, as a component."""
    store = plant.store(f"own-{port}")
    store.home(prefix)
    settings = IdentifiersConfiguration(role=Role.ENTERPRISE, port=port, rest_port=0, prefixes=(prefix,))
    service = NodeService(settings, store, plant.root, [node_key(prefix)], signer_for(applicant_key()))
    async with anyio.create_task_group() as group:
        await group.start(service.run)
        yield
        group.cancel_scope.cancel()


async def test_from_the_application_to_the_product_that_everybody_resolves(plant):
    port, product = free_port(), "88.111.7/PUMP-1"
    async with office(plant) as at:
        sent = proposal(servers=[{"address": "127.0.0.1", "udp": port, "tcp": port}])
        made = await at.applicant().apply(sent)
        assert await found_by_a_stranger(plant, product) == (ResponseCode.HANDLE_NOT_FOUND, [])
        reviewer = at.reviewer()
        (waiting,) = (await reviewer.page("submitted"))["applications"]
        assert (waiting["id"], waiting["organisation"]) == (made["id"], "Example Pumps Ltd. 示例泵业")
        await reviewer.act(made["id"], "approve", reason="known to us", revision=made["revision"])
        async with own_node(plant, "88.111.7", port):
            owner = KeyIdentity("0.NA/88.111.7", 300, signer_for(applicant_key()))
            async with plant.administer(owner) as by:
                await by.create(product, [text("URL", "https://pumps.example/1")])
            assert await found_by_a_stranger(plant, product) == (ResponseCode.SUCCESS, [b"https://pumps.example/1"])
            await reviewer.act(made["id"], "suspend", reason="the bill is not paid")
            assert await found_by_a_stranger(plant, product) == (ResponseCode.HANDLE_NOT_FOUND, [])
            assert (await found_by_a_stranger(plant, "0.NA/88.111.7"))[1][0] == b"suspended by the node above"
            async with plant.administer(owner) as by:
                with pytest.raises(Exception, match="nobody has registered"):
                    await by.create("88.111.7/PUMP-2", [text("URL", "x")])
                with pytest.raises(Exception, match="400"):
                    await by.add("0.NA/88.111.7", [admin(Reference("0.NA/88.111.7", 300))])
            assert (await at.applicant("0.NA/88.111.7").show(made["id"]))["state"] == "suspended", "its owner is still known"
            await reviewer.act(made["id"], "resume", reason="it is paid")
            assert await found_by_a_stranger(plant, product) == (ResponseCode.SUCCESS, [b"https://pumps.example/1"])
        await reviewer.act(made["id"], "revoke", reason="wound up")
        assert await found_by_a_stranger(plant, product) == (ResponseCode.HANDLE_NOT_FOUND, [])
        told = await reviewer.show(made["id"])
    assert [(one["action"], one["by"]) for one in told["history"]] == [
        ("apply", made["applicant"]),
        *((action, str(NODE_KEY)) for action in ("approve", "suspend", "resume", "revoke")),
    ]
    assert told["history"][2]["reason"] == "the bill is not paid"


async def test_who_may_do_what(plant):
    """Every action by a stranger, by the applicant, by another applicant, and by reviewers with a part of the permissions."""
    second = plant.stores["top"]
    people = {"adds": AdminPermission.ADD_DERIVED_PREFIX, "deletes": AdminPermission.DELETE_DERIVED_PREFIX}
    more = [
        admin(Reference(f"88.111.1/{name}", 300), granted, 110 + place) for place, (name, granted) in enumerate(people.items())
    ]
    second.create("0.NA/88.111", [*_values(second, "0.NA/88.111"), *more], overwrite=True)
    for name in (*people, "nobody"):
        plant.stores["enterprise"].create(f"88.111.1/{name}", [public_key(applicant_key(name))])
    async with office(plant) as at:
        made = await at.applicant().apply(proposal())
        other = await at.applicant().apply(proposal("88.111.8", applicant_key("valves")))
        who = {
            "stranger": at.applicant("88.111.1/nobody", applicant_key("nobody")),
            "other": at.applicant(other["applicant"].partition(":")[2], applicant_key("valves")),
            "applicant": at.applicant(made["applicant"].partition(":")[2]),
            "adds": at.applicant("88.111.1/adds", applicant_key("adds")),
            "deletes": at.applicant("88.111.1/deletes", applicant_key("deletes")),
            "all": at.reviewer(),
        }
        sees = {name: [one["id"] for one in (await by.page())["applications"]] for name, by in who.items()}
        both = [made["id"], other["id"]]
        assert sees == {
            "stranger": [],
            "other": [other["id"]],
            "applicant": [made["id"]],
            "adds": both,
            "deletes": both,
            "all": both,
        }

        async def status(name: str, action: str) -> int:
            """Of ``action``, without what it would take, so that nobody's changes anything."""
            try:
                await who[name].act(made["id"], action, reason="a test", revision=99)
            except AnsweredError as error:
                return error.status
            return 200

        for action in ("review", "ask", "approve", "reject", "resume"):
            outcome = {name: await status(name, action) for name in who}
            assert outcome == {"stranger": 404, "other": 404, "applicant": 409, "adds": 409, "deletes": 403, "all": 409}, action
        for action in ("suspend", "revoke"):
            outcome = {name: await status(name, action) for name in who}
            assert outcome == {"stranger": 404, "other": 404, "applicant": 409, "adds": 403, "deletes": 409, "all": 409}, action
        assert {name: await status(name, "transfer") for name in ("adds", "deletes", "all")} == {
            "adds": 403,
            "deletes": 403,
            "all": 409,
        }
        for action in ("approve", "revoke"):
            with pytest.raises(AnsweredError) as caught:
                await who["applicant"].act(made["id"], action, reason="please")
            assert caught.value.status == 403
        for name in ("stranger", "other"):
            with pytest.raises(AnsweredError, match="HL-ID-0803"):
                await who[name].show(made["id"])
        assert (await who["applicant"].show(made["id"]))["actions"] == ["amend", "withdraw"]
        assert "remarks" not in await who["applicant"].show(made["id"])
        assert (await at.http.get("/api/applications")).status_code == 401
        assert (await at.http.put(f"/api/applications/{made['id']}", json={"action": "approve"})).status_code == 401
        forged = at.applicant(made["applicant"].partition(":")[2], applicant_key("nobody"))
        with pytest.raises(AnsweredError) as caught:
            await forged.show(made["id"])
        assert caught.value.status == 401
        amended = await who["applicant"].act(made["id"], "amend", revision=1, proposal=proposal(purpose="pumps only"))
        assert (amended["revision"], amended["registration"]["purpose"]) == (2, "pumps only")
        assert (await who["applicant"].act(made["id"], "withdraw"))["state"] == "withdrawn"


async def test_what_is_sent_wrongly_is_refused_and_kept_nowhere(plant):
    async with office(plant, most=2) as at:
        good = proposal()
        body = {"registration": good.text, "signature": base64.b64encode(good.signature).decode()}
        for changed, status, code in (
            ({"signature": "!"}, 400, "HL-ID-0511"),
            ({"signature": ""}, 400, "HL-ID-0802"),
            ({"registration": "{}"}, 400, "HL-ID-0801"),
            ({"registration": " " * 70_000}, 400, "HL-ID-0801"),
            ({"registration": "x" * 400_000}, 413, "HL-ID-0512"),
            ({"more": 1}, 400, "HL-ID-0511"),
        ):
            answer = await at.http.post("/api/applications", json=body | changed)
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        for method, path in (("DELETE", "/api/applications"), ("POST", "/api/applications/x"), ("PUT", "/api/applications")):
            answer = await at.http.request(method, path)
            assert (answer.status_code, "GET" in answer.headers["allow"]) == (405, True)
        first = await at.http.post("/api/applications", json=body)
        again = await at.http.post("/api/applications", json=body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        await at.applicant().apply(proposal("88.111.8"))
        with pytest.raises(AnsweredError, match="HL-ID-0807") as caught:
            await at.applicant().apply(proposal("88.111.9"))
        assert caught.value.status == 503
        reviewer = at.reviewer()
        for query in ("?state=lost", "?after=x", "?limit=201", "?limit=5&limit=6"):
            with pytest.raises(AnsweredError):
                await reviewer._sent("GET", "/api/applications" + query)
        page = await reviewer.page(limit=1)
        rest = await reviewer.page(limit=1, after=page["next"])
        assert [one["prefix"] for one in (*page["applications"], *rest["applications"])] == ["88.111.7", "88.111.8"]
        assert (await reviewer.page(limit=1, after=rest["next"])) == {"applications": [], "next": None}
    for settings in ({"most": 0}, {"role": Role.ENTERPRISE}):
        async with office(plant, **settings) as at:
            answer = await at.http.post("/api/applications", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "HL-ID-0514")


async def test_a_session_of_somebody_who_is_called_like_an_applicant_is_not_the_applicants(plant):
    async with office(plant) as at:
        made = await at.applicant().apply(proposal())
        name = made["applicant"].partition(":")[2]
        plant.stores["second"].home("APPLICATION")
        plant.stores["second"].create(name, [public_key(applicant_key("thief"))])
        thief = at.applicant(name, applicant_key("thief"))
        with pytest.raises(AnsweredError) as caught:
            await thief.show(made["id"])
        assert caught.value.status == 401
        proof = {"Authorization": await thief._proof()}
        assert (await at.http.put("/api/sessions/this", headers=proof)).json()["authenticated"]
        session = f'Handle sessionId="{thief._session["sessionId"]}"'
        for text_ in (session, f'{session}, id="300:{name}"', f'{session}, id="300:APPLICATION/signature="'):
            answer = await at.http.get(f"/api/applications/{made['id']}", headers={"Authorization": text_})
            assert answer.status_code == 401, text_
        assert (await at.applicant(name).show(made["id"]))["state"] == "submitted"


def signing() -> Signing:
    public = private_key().public_key()
    return Signing(signer=signer_for(private_key()), public=public, packed=PublicKey.of(public).pack())


def told_to(routes, method: str, path: str, body: bytes = b"{}", **query: str):
    """A request that came from elsewhere over plain HTTP."""

    async def receive():
        return {"type": "http.request", "body": body}

    sent = Request(
        method=method,
        path=path,
        raw_path=path,
        query={name: [value] for name, value in query.items()},
        raw_query="",
        headers={"authorization": "Bearer x"},
        source="192.0.2.1",
        secure=False,
        https=False,
        certificate=None,
        receive=receive,
    )
    return routes.answer(sent)


async def test_what_others_could_read_is_taken_over_https_only(plant):
    inside = delegating_inside(plant.stores["second"], [NODE_KEY])
    node = Node(answering=inside.answering, proofs=inside.proofs, authority=inside.authority, store=plant.stores["second"])
    node = msgspec.structs.replace(node, applications=1, signing=signing())
    sessions = Sessions()
    prover = Prover(inside.proofs, sessions)
    for method, path in (("POST", "/api/applications"), ("PUT", "/api/applications/x")):
        with pytest.raises(PlainHttpError):
            await told_to(applications.Routes(node, prover, sessions), method, path)
    for method, path in (("POST", "/identity/token"), ("GET", "/identityv2/data/detail"), ("POST", "/identityv2/data")):
        answer = await told_to(second_level.Routes(node, prover, sessions), method, path)
        assert msgspec.json.decode(answer.body)["status"] == -1
    routes = enterprise.Routes(node, prover, sessions)
    answer = await told_to(routes, "POST", "/api/v1/doip/public/verify-response")
    assert msgspec.json.decode(answer.body)["code"] == 102
    answer = await told_to(routes, "POST", "/api/v1/doip", targetId="88.111.1/x", operationId="0.DOIP/Op.Delete")
    assert msgspec.json.decode(answer.body)["code"] == 102
