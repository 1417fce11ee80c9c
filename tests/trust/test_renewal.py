"""When a person hears of a certificate, and when no longer; the listeners themselves are in ``tests/assembly``."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hulian.trust import CertificateAuthority
from hulian.trust.renewal import CertificateWatch, Listener

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


class Clock:
    moment = NOW

    def __call__(self):
        return self.moment

    def nanoseconds(self):
        return int(self.moment.timestamp()) * 1_000_000_000


class Shown:
    """A listener that shows what it was last told to, unless it is stuck or away."""

    def __init__(self, path):
        self.path = path
        self.now = self.file()
        self.stuck = self.away = False

    def file(self):
        return x509.load_pem_x509_certificate(self.path.read_bytes()).public_bytes(serialization.Encoding.DER)

    def shown(self):
        return None if self.away else self.now

    def use(self):
        if not self.stuck:
            self.now = self.file()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return []


@pytest.fixture
def authority(tmp_path, clock):
    return CertificateAuthority(tmp_path, "acme", clock=clock)


@pytest.fixture
def watch(authority, clock, told):
    def make(*listeners, **options):
        return CertificateWatch(listeners, told.append, component="api", clock=clock.nanoseconds, patience=0.1, **options)

    return make


def heard(told):
    found = [(str(event.code), event.active) for event in told]
    told.clear()
    return found


def test_a_made_certificate_is_renewed_when_it_is_due_and_the_next_look_is_then(watch, authority, clock, told):
    listener = Shown(authority.server_certificate([]).certificate)
    looked = watch(
        Listener(
            name="API",
            chain=lambda: authority.server_certificate([]).certificate,
            shown=listener.shown,
            use=listener.use,
        ),
        every=10**9,
    )
    pause = looked.check()
    assert pause == pytest.approx(367 * 86400, abs=2)
    first = listener.now
    clock.moment += datetime.timedelta(seconds=pause)
    looked.check()
    assert listener.now == listener.file() != first
    assert heard(told) == [("HL-TRUST-0102", None)]
    looked.check()
    assert told == []


def test_a_given_certificate_is_told_of_before_it_ends_when_it_has_ended_and_when_it_is_replaced(
    watch, authority, clock, told, tmp_path
):
    given = tmp_path / "given.pem"
    given.write_bytes(authority.server_certificate([]).certificate.read_bytes())
    listener = Shown(given)
    looked = watch(
        Listener(name="API", chain=lambda: given, shown=listener.shown, use=listener.use, made=False, hint="do this")
    )
    assert looked.check() == 600
    assert told == []
    clock.moment = NOW + 380 * DAY
    looked.check()
    looked.check()
    assert [(event.severity, event.hint, event.subject) for event in told] == [("warning", "do this", "certificate:API")]
    assert "ends on 2031-02-0" in told[0].message
    heard(told)
    clock.moment = NOW + 400 * DAY
    looked.check()
    assert [(event.severity, event.active) for event in told] == [("error", True)]
    heard(told)
    given.write_bytes(authority.server_certificate([]).certificate.read_bytes())
    looked.check()
    assert heard(told) == [("HL-TRUST-0102", None), ("HL-TRUST-0101", False)]


def test_a_listener_that_does_not_take_it_up_is_told_of_and_keeps_nobody_else(watch, authority, clock, told):
    stuck, fine = (Shown(authority.server_certificate([], name).certificate) for name in ("one", "two"))
    listeners = [
        Listener(
            name=name,
            chain=lambda name=name: authority.server_certificate([], name).certificate,
            shown=shown.shown,
            use=shown.use,
        )
        for name, shown in (("one", stuck), ("two", fine))
    ]
    looked = watch(*listeners)
    looked.check()
    stuck.stuck = True
    clock.moment = NOW + 370 * DAY
    assert looked.check() == 30
    assert heard(told) == [("HL-TRUST-0101", True), ("HL-TRUST-0102", None)]
    looked.check()
    assert told == []
    stuck.stuck = False
    looked.check()
    assert heard(told) == [("HL-TRUST-0102", None), ("HL-TRUST-0101", False)]


def test_a_listener_that_is_just_starting_is_asked_again_soon(watch, authority, told):
    listener = Shown(authority.server_certificate([]).certificate)
    looked = watch(Listener(name="x", chain=lambda: listener.path, shown=listener.shown, use=listener.use))
    listener.away = True
    assert looked.check() == 30
    listener.away = False
    assert looked.check() == 600
    assert told == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_that_is_none(watch, told, tmp_path, content):
    path = tmp_path / "given.pem"
    if content is not None:
        path.write_bytes(content)
    looked = watch(Listener(name="x", chain=lambda: path, made=False, hint="mend it"))
    assert looked.check() == 30
    assert [(event.active, event.hint) for event in told] == [(True, "mend it")]
