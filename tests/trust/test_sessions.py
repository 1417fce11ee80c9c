"""Logins: what they tell an attacker, how long they last, what a foreign page can do with them."""

from __future__ import annotations

import statistics
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.trust import CsrfError, LoginRefusedError, LoginThrottledError, Role, Sessions
from hulian.trust.sessions import SessionSettings
from hulian.trust.tables import attempt, session, token
from hulian.trust.throttle import Throttle

GOOD = "correct horse battery"
SECOND = 1_000_000_000


class Clock:
    def __init__(self):
        self.now = 1_700_000_000 * SECOND

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timed(people, clock):
    """The sessions of `people` by a clock of ours: idle after one hour, over after ten."""
    of = people.sessions
    throttle = Throttle(of._registry, b"k" * 32, clock=clock)
    people.users._throttle = throttle
    people.sessions = Sessions(
        of._registry, of._audit, of._passwords, throttle, people.users,
        SessionSettings(idle_hours=1, longest_hours=10), clock=clock,
    )  # fmt: skip
    return people


def test_a_login_and_its_end(people):
    login = people.sessions.login("VIEWER ", GOOD, source="192.0.2.1")
    principal = people.sessions.resolve(login.token)
    assert (principal.name, principal.role, principal.kind) == ("viewer", "viewer", "user")
    assert people.users.get("viewer").last_login > 0
    people.sessions.end(login.token)
    assert people.sessions.resolve(login.token) is None
    people.sessions.end(login.token)


@given(st.text())
def test_no_invented_cookie_is_anybody(text):
    assert Sessions.digest(text) == Sessions.digest(text)
    assert len(Sessions.csrf(text)) == 64


@pytest.mark.parametrize("cookie", ["", "x", "\ud800", "a" * 10_000])
def test_invented_cookies_are_nobody(people, cookie):
    assert people.sessions.resolve(cookie) is None


def test_the_answer_is_the_same_for_every_reason(people):
    people.users.add("away", GOOD, Role.VIEWER)
    people.users.change("away", disabled=True)
    answers = set()
    for name, password in (
        ("viewer", "wrong"),
        ("nobody", GOOD),
        ("away", GOOD),
        ("", ""),
        ("\ud800", "\ud800"),
        ("a\0b", "a\0b"),
    ):
        with pytest.raises(LoginRefusedError) as refused:
            people.sessions.login(name, password)
        answers.add((str(refused.value), refused.value.hint, refused.value.place))
    assert len(answers) == 1


def test_an_unknown_user_takes_as_long_as_a_wrong_password(registry, tmp_path):
    from hulian.trust import Trust, TrustSettings
    from hulian.trust.passwords import PasswordSettings

    trust = Trust.open(
        registry, tmp_path, "acme", settings=TrustSettings(password=PasswordSettings(memory_kib=32768, passes=2))
    )
    trust.users.add("ada", GOOD, Role.VIEWER)

    def seconds(name):
        begin = time.thread_time()
        with pytest.raises(LoginRefusedError):
            trust.sessions.login(name, "wrong password")
        return time.thread_time() - begin

    known = statistics.median([seconds("ada") for _ in range(3)])
    unknown = statistics.median([seconds(f"nobody-{number}") for number in range(3)])
    assert unknown > known / 3, "the hash was not computed for a user that does not exist"


def test_no_table_and_no_trail_holds_a_secret(people, tmp_path):
    login = people.sessions.login("viewer", GOOD)
    issued = people.tokens.issue("viewer", "t", ["read"], by="viewer")
    typed_into_the_wrong_field = "Zebra!Zebra!Zebra"
    with pytest.raises(LoginRefusedError):
        people.sessions.login(typed_into_the_wrong_field, "viewer")
    people.sessions._registry.close()
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (
        login.token,
        login.csrf,
        issued.secret,
        GOOD,
        typed_into_the_wrong_field,
        typed_into_the_wrong_field.casefold(),
    ):
        assert secret.encode() not in content, "a secret is on the disk"
        assert secret not in repr((login, issued, people.sessions.resolve(login.token), people.tokens.list()))


def test_idle_and_absolute_end(timed, clock):
    login = timed.sessions.login("viewer", GOOD)
    for _ in range(18):
        clock.pass_(1800)
        assert timed.sessions.resolve(login.token), "used every half hour"
    clock.pass_(3601)
    assert timed.sessions.resolve(login.token) is None, "idle"
    login = timed.sessions.login("viewer", GOOD)
    for _ in range(11):
        clock.pass_(3300)
        alive = timed.sessions.resolve(login.token)
    assert alive is None, "ten hours are over"


def test_ended_logins_are_swept_and_their_number_is_bounded(timed, clock):
    old = timed.sessions.login("viewer", GOOD)
    clock.pass_(3700)
    logins = []
    for _ in range(60):
        clock.pass_(1)
        logins.append(timed.sessions.login("viewer", GOOD))
    with timed.sessions._registry.read() as connection:
        assert len(connection.execute(session.select()).all()) <= 51
    assert timed.sessions.resolve(old.token) is None
    assert timed.sessions.resolve(logins[-1].token)
    assert timed.sessions.resolve(logins[0].token) is None


def test_a_foreign_page_has_no_proof(people):
    here, there = people.sessions.login("viewer", GOOD), people.sessions.login("viewer", GOOD)
    people.sessions.check_csrf(here.token, here.csrf)
    assert here.csrf == people.sessions.csrf(here.token)
    for wrong in (None, "", there.csrf, here.token, here.csrf[:-1], here.csrf.upper(), "é"):
        with pytest.raises(CsrfError):
            people.sessions.check_csrf(here.token, wrong)


def test_every_login_is_in_the_trail(people):
    login = people.sessions.login("viewer", GOOD, source="192.0.2.9")
    people.sessions.end(login.token)
    with pytest.raises(LoginRefusedError):
        people.sessions.login("viewer", "wrong", source="192.0.2.9")
    found = [(record.principal, record.outcome, record.details.get("did"), record.source) for record in people.audit.list(3)]
    assert found == [
        ("viewer", "failed", "login", "192.0.2.9"),
        ("viewer", "done", "logout", "192.0.2.9"),
        ("viewer", "done", "login", "192.0.2.9"),
    ]


class TestThrottle:
    def fail(self, timed, user="viewer", source="192.0.2.1"):
        """One failed login: 0 where it was looked at, else the seconds to wait."""
        with pytest.raises((LoginRefusedError, LoginThrottledError)) as refused:
            timed.sessions.login(user, "wrong", source=source)
        return getattr(refused.value, "retry_after", 0)

    def test_each_failure_past_the_free_ones_doubles_the_wait(self, timed, clock):
        waits = []
        for _ in range(16):
            if wait := self.fail(timed):
                waits.append(round(wait))
                clock.pass_(wait)
                assert self.fail(timed) == 0
        assert waits[:4] == [1, 2, 4, 8]
        assert max(waits) <= 300

    def test_even_the_right_password_waits(self, timed, clock):
        for _ in range(5):
            self.fail(timed)
        with pytest.raises(LoginThrottledError) as refused:
            timed.sessions.login("viewer", GOOD, source="192.0.2.1")
        clock.pass_(refused.value.retry_after)
        assert timed.sessions.login("viewer", GOOD, source="192.0.2.1")
        assert self.fail(timed) == 0, "the success forgave"

    def test_the_owner_elsewhere_is_not_locked_out(self, timed):
        for _ in range(12):
            self.fail(timed, source="203.0.113.66")
        assert timed.sessions.login("viewer", GOOD, source="192.0.2.1")

    def test_a_source_that_tries_many_names(self, timed):
        outcomes = [self.fail(timed, user=f"name-{number}") for number in range(25)]
        assert outcomes[:20] == [0] * 20
        assert all(outcomes[20:])
        assert self.fail(timed, user="name-x", source="192.0.2.2") == 0

    def test_one_known_account_does_not_wash_a_source_clean(self, timed):
        for number in range(19):
            self.fail(timed, user=f"name-{number}")
        timed.sessions.login("viewer", GOOD, source="192.0.2.1")
        assert self.fail(timed, user="name-a") == 0
        assert self.fail(timed, user="name-b") > 0

    def test_many_sources_on_one_user_wait_at_most_a_minute(self, timed):
        waits = [self.fail(timed, source=f"198.51.100.{number}") for number in range(120)]
        assert not any(waits[:50])
        assert 0 < max(waits) <= 60

    def test_a_whole_ipv6_network_is_one_source(self, timed):
        outcomes = [self.fail(timed, user=f"n{number}", source=f"2001:db8:1:2::{number:x}") for number in range(25)]
        assert any(outcomes)
        assert self.fail(timed, source="2001:db8:1:3::1") == 0
        assert self.fail(timed, user="n", source="::ffff:192.0.2.1") == 0

    def test_a_restart_forgets_nothing_and_a_day_does(self, timed, clock):
        for _ in range(6):
            self.fail(timed)
        registry = timed.sessions._registry
        again = Throttle(registry, b"k" * 32, clock=clock)
        with pytest.raises(LoginThrottledError):
            again.reserve("viewer", "192.0.2.1")
        clock.pass_(25 * 3600)
        again.reserve("viewer", "192.0.2.1")
        with registry.read() as connection:
            assert {row.failures for row in connection.execute(attempt.select())} == {1}

    def test_a_new_password_by_the_administrator_opens_the_user(self, timed):
        for number in range(60):
            self.fail(timed, source=f"198.51.100.{number}")
        timed.users.set_password("viewer", "a third one, by the admin", by="administrator", must_change=False)
        assert timed.sessions.login("viewer", "a third one, by the admin", source="192.0.2.1")


class TestTokens:
    def test_a_token_has_some_of_its_owners_scopes(self, people):
        issued = people.tokens.issue("engineer", "trend export", ["read", "metrics"], by="engineer")
        assert issued.secret.startswith("hlt_")
        principal = people.tokens.resolve(issued.secret)
        assert (principal.name, principal.kind, principal.detail) == ("engineer", "token", issued.token.identity)
        assert principal.scopes == {"read", "metrics"}
        people.users.change("engineer", role=Role.VIEWER)
        people.tokens.issue("viewer", "v", ["read"], by="viewer")
        assert [found.label for found in people.tokens.list("engineer")] == ["trend export"]

    def test_a_token_shrinks_with_its_owner(self, people):
        issued = people.tokens.issue("engineer", "t", ["read", "configure"], by="engineer")
        people.users.change("engineer", role=Role.VIEWER)
        assert people.tokens.resolve(issued.secret).scopes == {"read"}

    def test_nobody_gives_what_they_do_not_have(self, people):
        from hulian.trust import AccountError, UnknownAccountError

        for owner, scopes, expires in (("viewer", ["configure"], None), ("viewer", [], None), ("viewer", ["read"], 1)):
            with pytest.raises(AccountError):
                people.tokens.issue(owner, "t", scopes, expires=expires, by="viewer")
        with pytest.raises(UnknownAccountError):
            people.tokens.issue("nobody", "t", ["read"], by="viewer")

    def test_it_ends_when_it_should(self, people):
        soon = time.time_ns() + 3600 * SECOND
        issued = people.tokens.issue("viewer", "t", ["read"], expires=soon, by="viewer")
        assert people.tokens.resolve(issued.secret)
        people.tokens._clock = lambda: soon
        assert people.tokens.resolve(issued.secret) is None

    def test_it_is_revoked_at_once(self, people):
        issued = people.tokens.issue("viewer", "t", ["read"], by="viewer")
        people.tokens.revoke(issued.token.identity, by="viewer")
        assert people.tokens.resolve(issued.secret) is None
        assert people.tokens.list() == []

    @pytest.mark.parametrize("secret", ["", "hlt_", "hlt_x", "x", "hlt_\ud800"])
    def test_an_invented_one_is_nobody(self, people, secret):
        assert people.tokens.resolve(secret) is None

    def test_its_hash_alone_is_kept(self, people):
        issued = people.tokens.issue("viewer", "t", ["read"], by="viewer")
        with people.tokens._registry.read() as connection:
            assert issued.secret not in repr(connection.execute(token.select()).all())
