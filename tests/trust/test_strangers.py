"""Text of every kind where a stranger may put text: nobody is logged in by it, and the answer is always the same error."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hulian.trust import AccountError, LoginRefusedError, Role, Trust, throttle
from hulian.trust.passwords import PasswordSettings
from hulian.trust.store import TrustSettings

GOOD = "correct horse battery"
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANY = st.text(st.characters(), max_size=60)
"""Unpaired surrogates and NUL among them: a decoder further out may let them through."""


@pytest.fixture
def house(registry, tmp_path, monkeypatch):
    """One user, on each database, without the wait after wrong passwords."""
    for rule in ("_HERE", "_SOURCE", "_USER"):
        monkeypatch.setattr(throttle, rule, throttle._Rule(free=10**9, longest=1))
    cheap = TrustSettings(password=PasswordSettings(memory_kib=8192, passes=1))
    made = Trust.open(registry, tmp_path, "acme", settings=cheap)
    made.users.add("ada", GOOD, Role.ADMINISTRATOR)
    return made


@FUZZ
@given(user=ANY, password=ANY, source=ANY)
@example(user="ada", password="", source="")
@example(user="ada", password=GOOD + "\0", source="::1")
@example(user="ada\0", password=GOOD, source="")
@example(user="ada'--", password=GOOD, source="")
@example(user="\ud800", password="\udfff", source="\ud800")
@example(user="x" * 100_000, password="y" * 100_000, source="z" * 5000)
def test_a_login_with_any_text_is_refused_alike(house, user, password, source):
    with pytest.raises(LoginRefusedError) as refused:
        house.sessions.login(user, password, source=source)
    assert refused.value.message == "wrong user or password"
    assert house.audit.list(1)[0].outcome == "failed"


@FUZZ
@given(ANY)
@example("hlt_" + "\ud800" * 30)
@example("\0")
def test_no_text_is_a_session_a_proof_or_a_token(house, text):
    assert house.sessions.resolve(text) is None
    assert house.tokens.resolve(text) is None
    assert house.tokens.resolve("hlt_" + text) is None
    house.sessions.end(text)
    with pytest.raises(Exception, match="page of this platform"):
        house.sessions.check_csrf("x", text)


@FUZZ
@given(ANY)
@example("supervisor")
@example("api")
@example("#")
def test_no_name_of_a_device_is_a_component_or_a_wildcard(house, name):
    """What a device is called becomes a user of the spine, and a part of what it may hear."""
    try:
        house.devices.add(name, publish=["plant/#"], by="ada")
    except AccountError:
        return
    assert name not in {"supervisor", "historian", "edge", "api", "cli", "monitor"}
    assert not set(name) & set("*>#+ \t\r\n\"'{}[]\0")
    house.devices.remove(name, by="ada")


@FUZZ
@given(st.text(max_size=40))
@example("$SYS/#")
@example("hl/acme/samples/#")
@example("hl.acme.samples")
@example("#")
@example("+/acme/#")
@example("_INBOX/api/#")
def test_no_filter_of_a_device_reaches_the_platforms_own_subjects(house, topic):
    try:
        issued = house.devices.add("pump", publish=[topic], subscribe=[topic], by="ada")
    except AccountError:
        return
    try:
        (user,) = [user for user in house.devices.spine_users() if user.name == issued.device.name]
        for subject in (*user.publish, *user.subscribe):
            if subject.startswith("$MQTT"):
                continue
            for own in ("hl.acme.samples.x", "hl.acme.query.historian", "$JS.API.INFO", "$SYS.REQ.X", "_INBOX.api.r.1"):
                assert not covers(subject, own), (topic, subject, own)
    finally:
        house.devices.remove("pump", by="ada")


def covers(pattern: str, subject: str) -> bool:
    """Whether a NATS subject pattern holds the subject."""
    ours, theirs = pattern.split("."), subject.split(".")
    for place, token in enumerate(ours):
        if token == ">":
            return len(theirs) > place
        if place >= len(theirs) or token not in ("*", theirs[place]):
            return False
    return len(ours) == len(theirs)
