"""Applications for prefixes as the console has them, against the HTTP face of a real second-level node."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import sqlalchemy as sa
from applicants import applicant_key, office, pem, proposal, registration
from identifier_nodes import NODE_KEY, hierarchy, identity, private_key

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.provisioning import history
from hulian.network.identifiers.provisioning.errors import BrokenHistoryError
from hulian.network.identifiers.provisioning.tables import event
from hulian.network.identifiers.transport.rest.asker import RestAsker
from hulian.network.identifiers.transport.rest.sessions import Sessions
from hulian.network.identifiers.wire.values import unpack_values
from hulian.platform.api.errors import NotFoundError, RequestError, UnavailableError
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.documents import ApplicationBody, SignedRegistration, StepBody
from hulian.platform.api.naming.service import Naming
from hulian.platform.api.refusals import RelayedError, status_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def plant(tmp_path_factory):
    async with hierarchy(tmp_path_factory.mktemp("nodes")) as made:
        yield made


@pytest.fixture(scope="module")
async def desk(plant):
    async with office(plant) as made:
        yield made


def node(plant, desk, **more: Any) -> IdentifierNode:
    settings = {
        "role": "second-level",
        "host": "127.0.0.1",
        "port": plant.ports["second"],
        "prefixes": ("88.111",),
        "root": lambda: plant.root,
        "identity": lambda: identity(NODE_KEY),
        "office": lambda: RestAsker(desk.url),
        "gives_out": True,
        "private": private_key,
        "seals": lambda: history.verify(plant.stores["second"].registry),
    }
    return IdentifierNode(**{**settings, **more})


@pytest.fixture
def here(plant, desk):
    """The console of the node that gives prefixes out."""
    return Naming(node(plant, desk)).applications


@pytest.fixture
def below(plant, desk):
    """The console of an enterprise, whose configuration names the node above."""
    key = applicant_key("below")
    more = {"role": "enterprise", "prefixes": ("88.111.1",), "office": lambda: None, "gives_out": False}
    return Naming(
        node(
            plant,
            desk,
            above=lambda: RestAsker(desk.url),
            identity=lambda: identity(NODE_KEY, key),
            private=lambda: key,
            seals=None,
            **more,
        )
    ).applications


def unsigned(prefix: str, **more: Any) -> dict[str, Any]:
    found = registration(prefix, **more)
    del found["public_key"]
    return found


def signed(prefix: str, key: Any, **more: Any) -> SignedRegistration:
    made = proposal(prefix, key, **more)
    return SignedRegistration(registration=made.text, signature=base64.b64encode(made.signature).decode())


async def apply(desk, prefix: str, **more: Any) -> str:
    return (await desk.apply(ApplicationBody(signed=signed(prefix, applicant_key(), **more)))).id


async def test_an_application_goes_its_way_and_each_step_is_in_its_history(here, plant):
    made = await here.apply(ApplicationBody(registration=unsigned("88.111.20")))
    assert (made.prefix, made.state, made.organisation) == ("88.111.20", "submitted", "Example Pumps Ltd. 示例泵业")
    again = await here.apply(ApplicationBody(registration=unsigned("88.111.20")))
    assert again.id == made.id, "the same text is the same application"
    first = await here.show("here", made.id, whole=True)
    assert (first.mine, first.actions) == (True, ["review", "ask", "approve", "reject", "amend", "withdraw"])
    assert first.remarks == ["127.0.0.1 is not reachable from everywhere"]
    await here.act(made.id, "review", StepBody(reason="the register knows them"))
    await here.act(made.id, "approve", StepBody())
    shown = await here.show("here", made.id, whole=True)
    assert (shown.state, shown.revision, shown.actions) == ("approved", 3, ["suspend", "revoke", "transfer"])
    record = unpack_values(plant.stores["second"].packed(b"0.NA/88.111.20"))
    assert [value.type for value in record] == ["HS_SITE", "HS_ADMIN", "HS_PUBKEY"]
    for step, state in (("suspend", "suspended"), ("resume", "approved"), ("revoke", "revoked")):
        await here.act(made.id, step, StepBody(reason="why"))
        assert (await here.show("here", made.id, whole=True)).state == state
    over = await here.show("here", made.id, whole=True)
    assert [(one.action, one.after) for one in over.history] == [
        ("apply", "submitted"),
        ("review", "in review"),
        ("approve", "approved"),
        ("suspend", "suspended"),
        ("resume", "approved"),
        ("revoke", "revoked"),
    ]
    assert over.history[1].reason == "the register knows them"
    assert (over.history[1].by, over.actions) == (str(NODE_KEY), [])


async def test_what_is_refused_keeps_its_code_its_place_and_its_hint(here):
    identity_of = await apply(here, "88.111.21")
    for step, body, code, status in (
        ("reject", StepBody(), "HL-ID-0804", 409),
        ("suspend", StepBody(reason="x"), "HL-ID-0804", 409),
        ("approve", StepBody(revision=7), "HL-ID-0808", 409),
        ("amend", StepBody(registration=unsigned("88.111.21")), "HL-ID-0516", 403),
    ):
        with pytest.raises(RelayedError) as caught:
            await here.act(identity_of, step, body)
        assert (caught.value.code, status_of(caught.value)) == (code, status), step
        assert caught.value.hint
    with pytest.raises(NotFoundError):
        await here.act(identity_of, "bribe", StepBody())
    with pytest.raises(RelayedError) as unknown:
        await here.show("here", "0" * 32, whole=True)
    assert (unknown.value.code, status_of(unknown.value)) == ("HL-ID-0803", 404)
    wrong = unsigned("88.111.22", organisation={"number": "91350100M000100Y44"})
    with pytest.raises(RelayedError, match="would be 3") as caught:
        await here.apply(ApplicationBody(registration=wrong))
    assert (caught.value.code, caught.value.place, status_of(caught.value)) == ("HL-ID-0801", "$.organisation.number", 400)
    with pytest.raises(RelayedError) as taken:
        await here.apply(ApplicationBody(registration=unsigned("88.111.1")))
    assert (taken.value.code, status_of(taken.value)) == ("HL-ID-0806", 409)
    with pytest.raises(RequestError):
        await here.apply(ApplicationBody())


async def test_somebody_elses_application_is_not_ours_and_contacts_are_for_who_may_change(here):
    theirs = await here.show("here", await apply(here, "88.111.23"), whole=True)
    assert (theirs.mine, theirs.actions) == (False, ["review", "ask", "approve", "reject"])
    assert theirs.registration["organisation"]["contact"]["name"] == "Li Hua"
    reader = await here.show("here", theirs.id, whole=False)
    assert "contact" not in reader.registration["organisation"]
    assert (reader.actions, reader.history) == ([], theirs.history)
    page = await here.page("submitted", 0, 200)
    assert theirs.id in [one.id for one in page.items]
    first = await here.page("", 0, 1)
    assert len(first.items) == 1
    assert first.items[0].id not in [one.id for one in (await here.page("", first.next, 200)).items]


async def test_a_prefix_is_transferred_with_the_signature_of_the_new_owner(here):
    one = await apply(here, "88.111.24")
    await here.act(one, "approve", StepBody())
    valves = applicant_key("valves")
    consent = signed("88.111.24", valves, organisation={"name": "Valves Ltd."})
    with pytest.raises(RelayedError) as bare:
        await here.act(one, "transfer", StepBody(reason="sold"))
    assert bare.value.code == "HL-ID-0801"
    forged = SignedRegistration(registration=consent.registration.replace("Valves", "Values"), signature=consent.signature)
    with pytest.raises(RelayedError) as caught:
        await here.act(one, "transfer", StepBody(reason="sold", signed=forged))
    assert caught.value.code == "HL-ID-0802"
    await here.act(one, "transfer", StepBody(reason="sold", signed=consent))
    shown = await here.show("here", one, whole=True)
    assert shown.registration["organisation"]["name"] == "Valves Ltd."
    assert shown.registration["public_key"] == pem(valves)


async def test_an_enterprise_applies_at_the_node_above_and_is_an_applicant_there(below, here):
    offices = await below.offices()
    assert (offices.here, bool(offices.above), offices.public_key) == (False, True, pem(applicant_key("below")))
    assert offices.needs_reason == ["ask", "reject", "revoke", "suspend", "transfer"]
    with pytest.raises(NotFoundError, match="gives out no prefixes") as caught:
        await below.page("", 0, 50)
    assert "second-level" in caught.value.hint
    made = await below.apply(ApplicationBody(at="above", registration=unsigned("88.111.25")))
    seen = await below.show("above", made.id, whole=True)
    assert (seen.mine, seen.actions) == (True, ["amend", "withdraw"])
    await here.act(made.id, "ask", StepBody(reason="which parts?"))
    better = unsigned("88.111.25", purpose="pumps, and their bearings")
    await below.act(made.id, "amend", StepBody(at="above", registration=better))
    amended = await below.show("above", made.id, whole=True)
    assert (amended.state, amended.registration["purpose"]) == ("submitted", "pumps, and their bearings")
    await below.act(made.id, "withdraw", StepBody(at="above"))
    assert (await below.show("above", made.id, whole=True)).state == "withdrawn"
    with pytest.raises(NotFoundError):
        await below.seals()


async def test_a_registration_is_signed_to_be_handed_over(below, here):
    handed = await below.sign(unsigned("88.111.26"))
    made = await here.apply(ApplicationBody(signed=handed))
    assert (made.prefix, made.state) == ("88.111.26", "submitted")
    with pytest.raises(RequestError, match="Base64"):
        await here.apply(ApplicationBody(signed=SignedRegistration(registration=handed.registration, signature="no")))


async def test_sessions_at_the_node_are_ended_for_it_has_a_bounded_number_of_them(here, below, desk, monkeypatch):
    begun, begin = [], Sessions.begin

    def counted(self, source):
        begun.append((self, begin(self, source)))
        return begun[-1][1]

    monkeypatch.setattr(Sessions, "begin", counted)
    one = (await below.apply(ApplicationBody(at="above", registration=unsigned("88.111.29")))).id
    await here.show("here", one, whole=True)
    await below.act(one, "withdraw", StepBody(at="above"))
    with pytest.raises(RelayedError):
        await here.act(one, "approve", StepBody())
    await RestAsker(desk.url).get("/api/statistics?days=0", identity(NODE_KEY))
    assert len(begun) == 4
    assert [session for sessions, session in begun if session.key in sessions._open] == []


async def test_without_a_key_or_a_node_it_says_so(plant, desk):
    def missing():
        raise ConfigurationError("there is no key yet", place="administrator.pem")

    keyless = Naming(node(plant, desk, identity=missing, private=missing)).applications
    assert (await keyless.offices()).public_key == ""
    with pytest.raises(UnavailableError, match="no key"):
        await keyless.page("", 0, 10)
    with pytest.raises(UnavailableError, match="no key"):
        await keyless.sign(unsigned("88.111.27"))
    away = Naming(node(plant, desk, office=lambda: RestAsker("http://127.0.0.1:9"))).applications
    with pytest.raises(UnavailableError, match="cannot be asked"):
        await away.page("", 0, 10)
    alone = Naming(node(plant, desk, office=lambda: None)).applications
    with pytest.raises(UnavailableError) as caught:
        await alone.page("", 0, 10)
    assert caught.value.place == "identifiers.rest_port"


async def test_a_history_that_was_altered_is_found(here, plant):
    """The last test of this module: it breaks the history."""
    await apply(here, "88.111.28")
    steps = (await here.seals()).steps
    assert steps >= 1
    with plant.stores["second"].registry.write() as connection:
        connection.execute(sa.update(event).where(event.c.number == steps).values(reason="nothing to see"))
    with pytest.raises(BrokenHistoryError) as caught:
        await here.seals()
    assert (str(steps) in caught.value.message, status_of(caught.value)) == (True, 500)
