"""The whole table of who may do what, written out a second time by hand."""

from __future__ import annotations

import shutil

import pytest

from hulian.registry import Registry
from hulian.trust import (
    ACTION_SCOPES,
    OWN_ACTIONS,
    ROLE_SCOPES,
    Action,
    DeniedError,
    NotAuthenticatedError,
    PasswordChangeError,
    Principal,
    PrincipalKind,
    Role,
    Scope,
    Trust,
    TrustSettings,
)
from hulian.trust.passwords import PasswordSettings

V, O, E, A = Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.ADMINISTRATOR  # noqa: E741
TABLE = {
    "metrics.read": (V, O, E, A),
    "health.read": (V, O, E, A),
    "points.read": (V, O, E, A),
    "history.read": (V, O, E, A),
    "live.read": (V, O, E, A),
    "events.read": (V, O, E, A),
    "ledger.read": (V, O, E, A),
    "annotations.read": (V, O, E, A),
    "exports.create": (V, O, E, A),
    "identifiers.read": (V, O, E, A),
    "connectors.read": (V, O, E, A),
    "model.read": (V, O, E, A),
    "certificates.read": (V, O, E, A),
    "annotations.write": (O, E, A),
    "commands.send": (O, E, A),
    "points.write": (E, A),
    "history.write": (E, A),
    "connectors.write": (E, A),
    "model.write": (E, A),
    "devices.browse": (E, A),
    "certificates.decide": (E, A),
    "credentials.read": (E, A),
    "credentials.write": (E, A),
    "identifiers.write": (E, A),
    "edges.read": (E, A),
    "edges.write": (E, A),
    "settings.read": (E, A),
    "users.read": (A,),
    "users.write": (A,),
    "tokens.read": (A,),
    "tokens.write": (A,),
    "sessions.write": (A,),
    "audit.read": (A,),
    "secrets.write": (A,),
    "backup.create": (A,),
}


@pytest.fixture(scope="module")
def trust(sqlite_template, tmp_path_factory):
    """One for all of the table: what a test adds to the trail, the next one leaves alone."""
    place = tmp_path_factory.mktemp("authority")
    shutil.copyfile(sqlite_template, place / "registry.db")
    registry = Registry.open(place / "registry.db")
    settings = TrustSettings(password=PasswordSettings(memory_kib=8192, passes=1))
    yield Trust.open(registry, place, "acme", settings=settings)
    registry.close()


def person(role, **more):
    return Principal(name=role.value, kind=PrincipalKind.USER, scopes=ROLE_SCOPES[role], role=role, **more)


def test_the_table_is_complete():
    assert set(TABLE) == {action.value for action in Action} == {action.value for action in ACTION_SCOPES}
    assert set(ROLE_SCOPES) == set(Role)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_every_action_by_every_role(trust, action, role):
    principal = person(role)
    may = role in TABLE[action]
    before = trust.audit.list(1)
    assert trust.authority.allowed(principal, action, "something") is may
    if may:
        trust.authority.authorise(principal, action, "something")
        assert trust.audit.list(1) == before
    else:
        with pytest.raises(DeniedError):
            trust.authority.authorise(principal, action, "something", source="192.0.2.7")
        (refusal,) = trust.audit.list(1)
        assert [refusal] != before
        assert (refusal.principal, refusal.action, refusal.resource) == (role.value, action.value, "something")
        assert (refusal.outcome, refusal.source) == ("denied", "192.0.2.7")


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("action", Action)
def test_a_token_with_one_scope_does_what_the_scope_says_and_no_more(trust, action, scope):
    principal = Principal(name="viewer", kind=PrincipalKind.TOKEN, scopes=frozenset({scope}))
    assert trust.authority.allowed(principal, action, "user:viewer") is (ACTION_SCOPES[action] is scope)


@pytest.mark.parametrize("action", Action)
def test_nobody_may_nothing(trust, action):
    with pytest.raises(NotAuthenticatedError):
        trust.authority.authorise(None, action)
    powerless = Principal(name="x", kind=PrincipalKind.USER, scopes=frozenset())
    assert trust.authority.allowed(powerless, action, "user:x") is (action in OWN_ACTIONS)


def test_roles_grow():
    assert ROLE_SCOPES[V] < ROLE_SCOPES[O] < ROLE_SCOPES[E] < ROLE_SCOPES[A]


@pytest.mark.parametrize("action", sorted(OWN_ACTIONS))
def test_people_look_after_their_own_account_and_no_other(trust, action):
    viewer = person(V)
    assert trust.authority.allowed(viewer, action, "user:viewer")
    assert not trust.authority.allowed(viewer, action, "user:viewer2")
    assert not trust.authority.allowed(viewer, action, "user:administrator")
    assert not trust.authority.allowed(viewer, action)


@pytest.mark.parametrize("action", Action)
def test_before_a_forced_password_change_only_the_own_account_is_open(trust, action):
    principal = person(A, must_change_password=True)
    assert not trust.authority.allowed(principal, action)
    with pytest.raises(PasswordChangeError):
        trust.authority.authorise(principal, action)
    trust.authority.authorise(principal, Action.SESSIONS_WRITE, "user:administrator")
