"""First start, passwords, roles."""

from __future__ import annotations

import pytest

from hulian.trust import (
    AccountError,
    LastAdministratorError,
    LoginRefusedError,
    Role,
    TakenNameError,
    Trust,
    UnknownAccountError,
    WeakPasswordError,
)
from hulian.trust.tables import user

GOOD = "correct horse battery"


def test_the_first_start_gives_one_random_password_once(trust, tmp_path):
    password = trust.bootstrap()
    assert len(password) == 20
    assert trust.bootstrap() is None
    assert trust.sessions.login("admin", password).user.role is Role.ADMINISTRATOR
    assert not trust.sessions.resolve(trust.sessions.login("admin", password).token).must_change_password
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or password.encode() not in path.read_bytes(), path


def test_every_first_start_gives_another_password(registry, tmp_path):
    settings = TrustSettings_cheap()
    first = Trust.open(registry, tmp_path / "a", "acme", settings=settings)
    password = first.bootstrap()
    first.users.add("other", GOOD, Role.ADMINISTRATOR)
    first.users.remove("admin", by="other")
    assert first.bootstrap() is None, "there is a user"
    assert password


def TrustSettings_cheap(**more):
    from hulian.trust import TrustSettings
    from hulian.trust.passwords import PasswordSettings

    return TrustSettings(password=PasswordSettings(memory_kib=8192, passes=1), **more)


def test_the_first_password_may_have_to_be_changed(registry, tmp_path):
    trust = Trust.open(registry, tmp_path, "acme", settings=TrustSettings_cheap(change_first_password=True))
    password = trust.bootstrap()
    login = trust.sessions.login("admin", password)
    assert login.principal.must_change_password
    trust.users.change_password("admin", password, GOOD, keep=trust.sessions.digest(login.token))
    assert not trust.sessions.resolve(login.token).must_change_password


def test_a_password_is_kept_as_argon2id(trust, tmp_path):
    trust.users.add("ada", GOOD, Role.VIEWER)
    opened = trust.users._registry
    with opened.read() as connection:
        kept = connection.execute(user.select()).one().password_hash
    assert kept.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert GOOD not in kept


def test_the_standard_parameters_are_those_of_rfc_9106():
    from hulian.trust.passwords import Passwords

    assert Passwords().hash(GOOD).startswith("$argon2id$v=19$m=65536,t=3,p=1$")


def test_a_hash_of_other_parameters_is_renewed_at_the_next_login(registry, tmp_path):
    Trust.open(registry, tmp_path, "acme", settings=TrustSettings_cheap()).users.add("ada", GOOD, Role.VIEWER)
    from hulian.trust import TrustSettings
    from hulian.trust.passwords import PasswordSettings

    dearer = TrustSettings(password=PasswordSettings(memory_kib=16384, passes=1))
    Trust.open(registry, tmp_path, "acme", settings=dearer).sessions.login("ada", GOOD)
    with registry.read() as connection:
        assert "m=16384" in connection.execute(user.select()).one().password_hash


@pytest.mark.parametrize(
    "password",
    ["", "short", "aaaaaaaaaaaaaaaa", "password123", "Hulian2024!", "ada-ada-ada1", "x" * 2000, "1212121212", "administrator"],
)
def test_passwords_that_would_be_guessed(trust, password):
    with pytest.raises(WeakPasswordError) as refused:
        trust.users.add("ada", password, Role.VIEWER)
    if len(password) > 5:
        assert password not in f"{refused.value}{refused.value.hint}"
    assert trust.users.list() == []


@pytest.mark.parametrize("password", [GOOD, "Tr0ub4dor&3x", "反应器压力很高呀请小心", "passwords are a nuisance, aren't they"])
def test_passwords_that_would_not(trust, password):
    trust.users.add("ada", password, Role.VIEWER)
    assert trust.sessions.login("ada", password)


def test_the_same_characters_from_another_keyboard(trust):
    trust.users.add("rené", "Ångström-Überprüfung", Role.VIEWER)
    assert trust.sessions.login("RENE\u0301", "A\u030angstro\u0308m-U\u0308berpru\u0308fung")


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a/b", "a\nb", "x" * 65, "<script>", "a:b", "'"])
def test_names_that_cannot_be(trust, name):
    with pytest.raises(AccountError):
        trust.users.add(name, GOOD, Role.VIEWER)


def test_names_differ_by_more_than_case(trust):
    assert trust.users.add("Ada", GOOD, Role.VIEWER).name == "ada"
    with pytest.raises(TakenNameError):
        trust.users.add("ADA", GOOD, Role.VIEWER)
    assert trust.users.get("aDa").name == "ada"


def test_somebody_must_administer(people):
    for attempt in (
        lambda: people.users.remove("administrator", by="x"),
        lambda: people.users.change("administrator", role=Role.VIEWER, by="x"),
        lambda: people.users.change("administrator", disabled=True, by="x"),
    ):
        with pytest.raises(LastAdministratorError):
            attempt()
    people.users.add("second", GOOD, Role.ADMINISTRATOR)
    people.users.change("administrator", disabled=True, by="second")
    with pytest.raises(LastAdministratorError):
        people.users.remove("second", by="second")


def test_a_changed_role_counts_at_once(people):
    token = people.sessions.login("viewer", GOOD).token
    people.users.change("viewer", role=Role.ENGINEER, by="administrator")
    assert people.sessions.resolve(token).role == "engineer"


def test_who_is_disabled_is_out_at_once(people):
    token = people.sessions.login("viewer", GOOD).token
    secret = people.tokens.issue("viewer", "t", ["read"], by="viewer").secret
    people.users.change("viewer", disabled=True, by="administrator")
    assert people.sessions.resolve(token) is None
    assert people.tokens.resolve(secret) is None
    with pytest.raises(LoginRefusedError):
        people.sessions.login("viewer", GOOD)
    people.users.change("viewer", disabled=False, by="administrator")
    assert people.sessions.resolve(token) is None
    assert people.tokens.resolve(secret) is not None


def test_who_is_removed_is_gone_with_everything(people):
    token = people.sessions.login("viewer", GOOD).token
    secret = people.tokens.issue("viewer", "t", ["read"], by="viewer").secret
    people.users.remove("viewer", by="administrator")
    assert people.users.get("viewer") is None
    assert people.sessions.resolve(token) is None
    assert people.tokens.resolve(secret) is None
    with pytest.raises(UnknownAccountError):
        people.users.remove("viewer", by="administrator")


def test_a_new_password_ends_other_logins(people):
    here, there = people.sessions.login("viewer", GOOD), people.sessions.login("viewer", GOOD)
    people.users.change_password("viewer", GOOD, "another horse entirely", keep=people.sessions.digest(here.token))
    assert people.sessions.resolve(here.token)
    assert people.sessions.resolve(there.token) is None
    with pytest.raises(LoginRefusedError):
        people.sessions.login("viewer", GOOD)
    people.users.set_password("viewer", "a third one, by the admin", by="administrator")
    assert people.sessions.resolve(here.token) is None
    assert people.sessions.login("viewer", "a third one, by the admin").principal.must_change_password


def test_a_wrong_old_password_changes_nothing(people):
    with pytest.raises(LoginRefusedError):
        people.users.change_password("viewer", "wrong", "another horse entirely")
    with pytest.raises(WeakPasswordError):
        people.users.change_password("viewer", GOOD, GOOD)
    assert people.sessions.login("viewer", GOOD)
