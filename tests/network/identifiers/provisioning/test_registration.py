"""What an application says is checked field by field, and its key must have signed it."""

from __future__ import annotations

import json

import pytest
from applicants import applicant_key, pem, proposal, registration
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.provisioning import Proposal, Registration
from hulian.network.identifiers.provisioning.errors import ProofError, RegistrationError
from hulian.network.identifiers.provisioning.organisation import Register, check_number, uscc_check
from hulian.network.identifiers.provisioning.registration import fingerprint
from hulian.network.identifiers.wire import sm2

CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize("number", ["91350100M000100Y43", "91110000802100433B", "914403001922038216", "91330106673959654P"])
def test_published_credit_codes_hold(number):
    check_number(Register.USCC, number)


@pytest.mark.parametrize("number", ["HWUPKR0MPOU8FGXBT394", "529900T8BM49AURSDO55", "7LTWFZYICNSX8D621K86"])
def test_published_legal_entity_identifiers_hold(number):
    check_number(Register.LEI, number)


@settings(max_examples=15, deadline=None)
@given(st.text(CHARACTERS, min_size=17, max_size=17), st.integers(0, 17), st.sampled_from(CHARACTERS))
def test_every_single_wrong_character_of_a_credit_code_is_caught(body, place, other):
    right = body + uscc_check(body)
    check_number(Register.USCC, right)
    wrong = right[:place] + other + right[place + 1 :]
    if wrong != right:
        with pytest.raises(RegistrationError):
            check_number(Register.USCC, wrong)


def test_every_single_wrong_character_of_a_legal_entity_identifier_is_caught():
    right = "529900T8BM49AURSDO55"
    for place in range(20):
        wrong = right[:place] + ("8" if right[place] == "7" else "7") + right[place + 1 :]
        with pytest.raises(RegistrationError):
            check_number(Register.LEI, wrong)


def small() -> str:
    return pem(rsa.generate_private_key(65537, 1024))


def private() -> str:
    form = serialization.PrivateFormat.PKCS8
    return applicant_key().private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"prefix": "88.11.7"}, "$.prefix"),
        ({"prefix": "88.111.x"}, "$.prefix"),
        ({"prefix": "88.111.7.1"}, "$.prefix"),
        ({"prefix": "99..8"}, "$.prefix"),
        ({"prefix": "99.8/x"}, "$.prefix"),
        ({"prefix": "0.NA"}, "$.prefix"),
        ({"organisation": {"number": "91350100M000100Y44"}}, "$.organisation.number"),
        ({"organisation": {"number": "91350100M000100Y4I"}}, "$.organisation.number"),
        ({"organisation": {"register": "other", "number": "HRB 1234"}}, "$.organisation.authority"),
        ({"organisation": {"country": "cn"}}, "$.organisation.country"),
        ({"organisation": {"industry": "Z9"}}, "$.organisation.industry"),
        ({"organisation": {"contact": {"name": "Li", "email": "nobody"}}}, "$.organisation.contact.email"),
        (
            {"organisation": {"contact": {"name": "Li", "email": "a@b.example", "phone": "call me"}}},
            "$.organisation.contact",
        ),
        ({"public_key": "-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n"}, "$.public_key"),
        ({"public_key": small}, "$.public_key"),
        ({"public_key": private}, "$.public_key"),
        ({"public_key": lambda: pem(dsa.generate_private_key(1024))}, "$.public_key"),
        ({"public_key": lambda: pem(ec.generate_private_key(ec.SECP192R1()))}, "$.public_key"),
        ({"servers": []}, ""),
        ({"servers": [{"address": "pumps.example"}]}, "$.servers[0].address"),
        ({"servers": [{"address": "0.0.0.0"}]}, "$.servers[0].address"),
        ({"servers": [{"address": "ff02::1"}]}, "$.servers[0].address"),
        ({"servers": [{"address": "127.0.0.1", "tcp": 0}]}, "$.servers[0]"),
        ({"servers": [{"address": "127.0.0.1", "tcp": 70_000}]}, ""),
        ({"code_types": []}, ""),
        ({"purpose": ""}, ""),
        ({"more": 1}, ""),
    ],
)
def test_what_breaks_a_rule_is_named(change, place):
    made = {name: value() if callable(value) else value for name, value in change.items()}
    document = registration(**{name: made[name] for name in made if name == "organisation"})
    document |= {name: value for name, value in made.items() if name != "organisation"}
    with pytest.raises(RegistrationError) as caught:
        Registration.parse(json.dumps(document))
    assert caught.value.place.startswith(place)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"prefix": "\\ud800"}', "[" * 100_000, '{"prefix":' * 50_000])
def test_what_is_no_registration_is_refused(text):
    with pytest.raises(RegistrationError):
        Registration.parse(text)


@pytest.mark.parametrize("make", [applicant_key, lambda: rsa.generate_private_key(65537, 2048), sm2.PrivateKey.generate])
def test_the_key_that_is_registered_has_signed_the_text(make):
    key = make()
    made = proposal(key=key)
    assert made.prove().prefix == "88.111.7"
    changed = made.text.replace("parts", "names")
    assert changed != made.text
    for wrong in (
        Proposal(text=changed, signature=made.signature),
        Proposal(text=made.text, signature=made.signature[:-1] + bytes((made.signature[-1] ^ 1,))),
        Proposal(text=made.text, signature=b""),
        Proposal(text=made.text, signature=bytes(5_000)),
        Proposal(text=made.text, signature=proposal(key=ec.generate_private_key(ec.SECP256R1())).signature),
    ):
        with pytest.raises(ProofError):
            wrong.prove()


def test_one_key_is_one_key_however_its_pem_is_written():
    text = pem(applicant_key())
    assert fingerprint(text) == fingerprint("\n" + text.replace("\n", "\r\n") + "\n")


def test_a_reviewer_is_told_what_is_unusual():
    made = Registration.parse(json.dumps(registration()))
    assert made.remarks == ("127.0.0.1 is not reachable from everywhere",)
    second = Registration.parse(json.dumps(registration(tier="second-level", servers=[{"address": "8.8.8.8"}])))
    assert second.remarks == ("88.111.7 has the form of another tier than second-level",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
WAYS = [
    ("prefix",),
    ("organisation",),
    ("organisation", "number"),
    ("organisation", "register"),
    ("organisation", "contact", "email"),
    ("servers",),
    ("servers", 0, "address"),
    ("servers", 0, "tcp"),
    ("public_key",),
    ("code_types",),
    ("tier",),
    ("purpose",),
]


@pytest.mark.fuzz
@settings(max_examples=30, deadline=None)
@given(st.sampled_from(WAYS), JSON, st.binary(max_size=30), st.integers(0, 2_000))
def test_no_registration_makes_more_than_an_error(way, other, noise, at):
    document = registration()
    inner = document
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = other
    whole = json.dumps(registration()).encode()
    for text in (json.dumps(document).encode(), whole[:at] + noise + whole[at + len(noise) :]):
        try:
            Registration.parse(text).check()
        except RegistrationError:
            continue
