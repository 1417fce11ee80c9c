"""After one challenge a carrier's reports are proved by code and counter; what was used, forged or is over proves nothing."""

from __future__ import annotations

import pytest
from active_nodes import Works, blocking

from hulian.network.identifiers.active import accesses, errors, messages, sessions
from hulian.network.identifiers.active.device import (
    ContentsError,
    FormatError,
    LinkError,
    RefusedError,
    bodies,
    frame,
    generate,
)
from hulian.network.identifiers.active.device import session as device_session
from hulian.network.identifiers.active.device.bodies import Item
from hulian.network.identifiers.wire.codes import OpCode, ResponseCode

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


class Heard:
    """A link that remembers what went over it."""

    def __init__(self, works: Works) -> None:
        self._link = works.link()
        self.sent: list[bytes] = []
        self.after = None

    def exchange(self, message: bytes) -> bytes:
        self.sent.append(message)
        answer = self._link.exchange(message)
        if self.after is not None:
            self.after(message)
        return answer

    def address(self) -> str:
        return self._link.address()

    def close(self) -> None:
        self._link.close()

    @property
    def codes(self) -> list[int]:
        """The operations since the last time."""
        found = [int.from_bytes(message[20:24], "big") for message in self.sent]
        self.sent = []
        return found


def reports(carrier, *values) -> list[int]:
    for value in values:
        carrier.report([Item("x", value)])
    return [receipt.sequence for receipt in carrier.deliver()]


@pytest.fixture
async def enrolled(works):
    works.provision("0001")
    link = Heard(works)
    carrier = works.carrier("0001", link)
    await blocking(carrier.enrol)
    link.codes  # noqa: B018 - what came before is forgotten
    return works, carrier, link


ONE = [frame.REPORT, frame.CHALLENGE_RESPONSE]
BEGIN = [frame.SESSION, frame.CHALLENGE_RESPONSE]


async def test_one_challenge_is_enough_for_many_reports(enrolled):
    works, carrier, link = enrolled
    assert await blocking(reports, carrier, 1) == [1]
    assert link.codes == ONE, "one report alone is not worth a session"
    assert await blocking(reports, carrier, 2, 3, 4) == [2, 3, 4]
    assert link.codes == BEGIN + [frame.SESSION_REPORT] * 3
    assert await blocking(reports, carrier, 5) == [5]
    assert link.codes == [frame.SESSION_REPORT]
    await works.until(lambda: len(works.sink.calls) == 5)
    assert [works.sink.reports[f"{carrier.identifier}/{number}"] for number in range(1, 6)] == [
        (("x", number),) for number in range(1, 6)
    ]
    assert len(works.service.desk.sessions) == 1


async def test_what_was_sent_before_is_refused_and_what_is_forged_uses_nothing_up(enrolled):
    works, carrier, link = enrolled
    await blocking(reports, carrier, 1, 2, 3)
    *_, replayed = link.sent

    def refused(message: bytes) -> tuple[int, str]:
        answer = frame.read_answer(link.exchange(message))
        return answer.response_code, bodies.read_failure(answer.body)

    code, words = await blocking(refused, replayed)
    assert (code, words.partition(":")[0]) == (ResponseCode.SESSION_MESSAGE_REJECTED, errors.ReplayError.code)
    body = carrier._session.sealed(bodies.report_body(carrier.identifier, 4, [Item("x", 4)]))

    def asked(data: bytes) -> tuple[int, str]:
        return refused(carrier._request(frame.SESSION_REPORT, data).data)

    for forged, wanted in (
        (body[:-1] + bytes((body[-1] ^ 1,)), ResponseCode.SESSION_MESSAGE_REJECTED),
        (body.replace((4).to_bytes(8, "big"), (5).to_bytes(8, "big"), 1), ResponseCode.SESSION_MESSAGE_REJECTED),
        (body[:5] + bytes(16) + body[21:], ResponseCode.SESSION_TIMEOUT),
        (body[:-1], ResponseCode.PROTOCOL_ERROR),
    ):
        assert (await blocking(asked, forged))[0] == wanted
    assert works.carriers.find("0001").sequence == 3
    assert await blocking(lambda: carrier._ask(frame.SESSION_REPORT, body).response_code) == ResponseCode.SUCCESS
    assert (await blocking(asked, body))[0] == ResponseCode.SESSION_MESSAGE_REJECTED
    # A report of another one is refused in a session as it is elsewhere.
    works.provision("0002")
    other = works.carrier("0002")
    await blocking(other.enrol)
    strange = carrier._session.sealed(bodies.report_body(other.identifier, 1, [Item("x", 1)]))
    code, words = await blocking(asked, strange)
    assert (code, "is not the carrier" in words) == (ResponseCode.INVALID_ADMIN, True)


async def test_an_answer_that_is_lost_costs_a_counter_and_no_report(enrolled):
    works, carrier, link = enrolled
    await blocking(reports, carrier, 1, 2)

    def cut(_message: bytes) -> None:
        link.after = None
        link.close()
        raise LinkError("cut")

    link.after = cut
    carrier.report([Item("x", 3)])
    with pytest.raises(LinkError):
        await blocking(carrier.deliver)
    link.codes  # noqa: B018
    assert [(one.sequence, one.duplicate) for one in await blocking(carrier.deliver)] == [(3, True)]
    assert link.codes == [frame.SESSION_REPORT]
    await works.until(lambda: len(works.sink.calls) == 3)


async def test_a_node_that_was_started_anew_knows_no_session_and_loses_no_report(tmp_path):
    works = Works(tmp_path)
    async with works.running():
        works.provision("0001")
        link = Heard(works)
        carrier = works.carrier("0001", link)
        await blocking(carrier.enrol)
        await blocking(reports, carrier, 1, 2)
    works.registry.close()
    again = Works(tmp_path, port=works.settings.port)
    again.port = works.port
    async with again.running():
        link.codes  # noqa: B018
        assert await blocking(reports, carrier, 3, 4) == [3, 4]
        assert link.codes == [frame.SESSION_REPORT, *ONE, *BEGIN, frame.SESSION_REPORT]
        assert again.carriers.find("0001").missing == 0
    again.registry.close()


async def test_it_ends_after_an_hour_and_after_its_reports(enrolled, monkeypatch):
    works, carrier, link = enrolled
    await blocking(reports, carrier, 1, 2)
    kept = works.service.desk.sessions
    monkeypatch.setattr(sessions, "REPORTS", 1)
    link.codes  # noqa: B018
    assert await blocking(reports, carrier, 3) == [3]
    assert link.codes == [frame.SESSION_REPORT, *ONE]
    assert len(kept) == 0
    assert await blocking(reports, carrier, 4) == [4]
    assert await blocking(reports, carrier, 5) == [5]
    assert link.codes == [*BEGIN, frame.SESSION_REPORT] * 2, "the carrier knows how many reports a session has"
    monkeypatch.setattr(sessions, "REPORTS", 10)
    carrier._session = None
    assert await blocking(reports, carrier, 6) == [6]
    link.codes  # noqa: B018
    now = kept._clock
    monkeypatch.setattr(kept, "_clock", lambda: now() + sessions.SECONDS)
    assert await blocking(reports, carrier, 7) == [7]
    assert link.codes == [frame.SESSION_REPORT, *ONE]


async def test_a_carrier_has_one_and_a_node_no_more_than_its_bound(works, monkeypatch):
    monkeypatch.setattr(sessions, "MOST", 2)
    works.provision("a", "b", "c")
    carriers = {name: works.carrier(name) for name in "abc"}
    for carrier in carriers.values():
        await blocking(carrier.enrol)
        await blocking(reports, carrier, 1, 2)
    kept = works.service.desk.sessions
    assert sorted(one.serial for one in kept._kept.values()) == ["b", "c"]
    carriers["b"]._session = None
    await blocking(reports, carriers["b"], 3)
    assert sorted(one.serial for one in kept._kept.values()) == ["b", "c"]
    assert await blocking(reports, carriers["a"], 3, 4) == [3, 4]
    assert sorted(one.serial for one in kept._kept.values()) == ["a", "b"]


async def test_revocation_and_another_key_hold_in_a_session_too(enrolled):
    works, carrier, link = enrolled
    await blocking(reports, carrier, 1, 2)
    session = carrier._session
    await blocking(carrier.rekey)
    assert len(works.service.desk.sessions) == 0
    link.codes  # noqa: B018
    assert await blocking(reports, carrier, 3) == [3]
    assert link.codes == [*BEGIN, frame.SESSION_REPORT]
    stale = session.sealed(bodies.report_body(carrier.identifier, 4, [Item("x", 4)]))
    with pytest.raises(RefusedError, match=r"HL-ID-1113"):
        await blocking(carrier._ask, frame.SESSION_REPORT, stale)
    # Another process has given the carrier another key.
    works.carriers.rekey("0001", generate("EC").public(), "another")
    report = bodies.report_body(carrier.identifier, 4, [Item("x", 4)])
    with pytest.raises(RefusedError, match=r"HL-ID-1113"):
        await blocking(carrier._ask, frame.SESSION_REPORT, carrier._session.sealed(report))
    works.carriers.rekey("0001", carrier._own().public(), "the same again")
    carrier._session = None
    assert await blocking(reports, carrier, 4) == [4]
    works.carriers.revoke("0001")
    with pytest.raises(RefusedError, match="HL-ID-1103"):
        await blocking(reports, carrier, 5)
    assert works.carriers.find("0001").sequence == 4


async def test_the_node_proves_its_half_and_both_compute_the_same(enrolled, monkeypatch):
    works, carrier, _ = enrolled
    half = device_session.Half()
    question = device_session.question_body(carrier.identifier, half)
    assert messages.SessionQuestion.unpack(question).point == half.point
    known = works.carriers.find("0001")
    kept = sessions.Sessions()
    answer = kept.begin(known, question, lambda covered: covered[:8])
    offer = device_session.read_offer(answer, question)
    assert (offer.seconds, offer.reports, offer.signature) == (sessions.SECONDS, sessions.REPORTS, offer.covered[:8])
    report = bodies.report_body(carrier.identifier, 1, [Item("x", 1)])
    opened = messages.SessionReport.unpack(device_session.Session(half, offer).sealed(report))
    assert (kept.open(opened), opened.report, opened.counter) == ("0001", report, 1)
    other = device_session.Session(half, offer._replace(covered=offer.covered + b"x"))
    with pytest.raises(errors.ReplayError):
        kept.open(messages.SessionReport.unpack(other.sealed(report)))
    for point in (b"\4" + bytes(64), b"\5" + offer.point[1:], offer.point[:-1]):
        with pytest.raises(ContentsError):
            half.shared(point)
    with pytest.raises(errors.MessageError):
        kept.begin(known, device_session.question_body(carrier.identifier, half).replace(half.point, b"\4" + bytes(64)), bytes)
    with pytest.raises(FormatError):
        device_session.read_offer(b"\2" + answer[1:], question)

    await blocking(reports, carrier, 1)
    monkeypatch.setattr(works.service.desk._signer, "session", lambda covered: bytes(256))
    with pytest.raises(ContentsError, match="not signed"):
        await blocking(reports, carrier, 2)
    assert carrier.waiting == 1


async def test_a_node_of_before_is_reported_to_by_challenges(enrolled, monkeypatch):
    works, carrier, link = enrolled
    answered = works.service.desk.answer

    async def before(op_code, body, who, address):
        if op_code == OpCode.CARRIER_SESSION:
            raise errors.MessageError("opcode 3005 is none of a carrier's")
        return await answered(op_code, body, who, address)

    monkeypatch.setattr(works.service.desk, "answer", before)
    assert await blocking(reports, carrier, 1, 2, 3) == [1, 2, 3]
    assert link.codes == [*ONE, frame.SESSION, *ONE, *ONE]


async def test_accesses_stand_in_the_trail(works):
    works.provision("0001", "0002")
    carrier = works.carrier("0001")
    await blocking(carrier.enrol)
    await blocking(reports, carrier, *range(5))
    works.carriers.settle("0001", {"rate": 5})
    assert await blocking(carrier.update)
    await blocking(carrier.rekey)
    works.carriers.revoke("0001")
    with pytest.raises(RefusedError):
        await blocking(reports, carrier, 9)
    trail = [
        (one.principal, one.action, one.outcome, one.source, one.details.get("code")) for one in reversed(works.audit.list())
    ]
    named = carrier.identifier
    assert trail == [
        (named, "carriers.enrol", "done", "127.0.0.1", None),
        (named, "carriers.report", "done", "127.0.0.1", None),
        (named, "carriers.session", "done", "127.0.0.1", None),
        (named, "carriers.contents", "done", "127.0.0.1", None),
        (named, "carriers.rekey", "done", "127.0.0.1", None),
        (named, "carriers.session", "denied", "127.0.0.1", errors.RevokedCarrierError.code),
    ]
    assert works.audit.verify().intact


class Kept:
    def __init__(self) -> None:
        self.records: list[tuple] = []

    def record(self, principal, action, resource="", outcome="done", *, source="", details=None) -> None:
        self.records.append((principal, action, outcome, details))


def test_neither_reports_nor_strangers_flood_the_trail(monkeypatch):
    trail, now = Kept(), [0.0]
    kept = accesses.Accesses(trail, clock=lambda: now[0])
    for second in range(4_000):
        now[0] = float(second)
        kept.done_again("a", "carriers.report", "", sequence=second)
    assert [one[3] for one in trail.records] == [{"sequence": 0, "before": 0}, {"sequence": 3_600, "before": 3_599}]
    trail.records.clear()
    for _ in range(500):
        kept.refused("", "carriers.enrol", "192.0.2.1", "HL-ID-1104")
    now[0] += 61
    kept.refused("", "carriers.enrol", "192.0.2.1", "HL-ID-1104")
    assert len(trail.records) == accesses.REFUSALS + 1
    assert trail.records[-1][3] == {"code": "HL-ID-1104", "left_out": 440}
    monkeypatch.setattr(accesses, "_MOST", 10)
    for number in range(50):
        kept.done_again(str(number), "carriers.report", "")
    assert len(kept._again) == 10
    accesses.Accesses(None).refused("", "x", "", "")
