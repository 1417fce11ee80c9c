"""Every mistake in hulian.toml with its place and the nearest key; no message ever holds a secret."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.kernel.configuration import GIVEN_BY, convert, describe, load, resolve_secret, sample, secrets_of
from hulian.kernel.errors import ConfigurationError, MovedKeyError, SecretError, UnknownKeyError


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    days: Annotated[int, msgspec.Meta(ge=1, description="kept so long")] = 30
    folder: Annotated[str, msgspec.Meta(description="where")] = 'C:\\data "x"'


class Connector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    url: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 4840
    retention: Retention = Retention()


class House(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    retention: Annotated[Retention, msgspec.Meta(description="what is kept")] = Retention()
    organisation: Annotated[str, msgspec.Meta(description="whose it is")] = "local"
    durability: Literal["process", "power"] = "process"
    ratio: float = 0.5
    limit: int | None = None
    tags: tuple[str, ...] = ("a", "b")
    connectors: list[Connector] = []
    named: dict[str, Retention] = {}
    spare: Annotated[Retention | None, msgspec.Meta(description="a second store")] = None


def write(tmp_path, text):
    path = tmp_path / "hulian.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file(tmp_path):
    found = load(write(tmp_path, 'organisation = "acme"\n[retention]\ndays = 7\n[[connectors]]\nname = "plc"'), House)
    assert (found.organisation, found.retention.days, found.connectors[0].port) == ("acme", 7, 4840)


@pytest.mark.parametrize(
    ("text", "line", "key", "near"),
    [
        ('organization = "x"', 1, "organization", "organisation"),
        ("\n\n[retention]\n\nday = 3", 5, "retention.day", "days"),
        ("[retenton]\ndays = 3", 1, "retenton", "retention"),
        ('[[connectors]]\nname = "a"\n[[connectors]]\nname = "b"\nprot = 3', 5, "connectors.1.prot", "port"),
        ('[[connectors]]\nname = "a"\n[connectors.retention]\ndyas = 3', 4, "connectors.0.retention.dyas", "days"),
        ("retention.dayz = 3", 1, "retention.dayz", "days"),
        ("[named.raw]\ndays = 1\n[named.rolled]\nday = 1", 4, "named.rolled.day", "days"),
        ("retention = { dyas = 3 }", 1, "retention.dyas", "days"),
    ],
)
def test_an_unknown_key_is_refused_with_its_place_and_the_nearest_one(tmp_path, text, line, key, near):
    path = write(tmp_path, text)
    with pytest.raises(UnknownKeyError) as refused:
        load(path, House)
    assert refused.value.place == f"{path}:{line}: {key}"
    assert refused.value.hint == f"did you mean '{near}'?"
    assert refused.value.code == "HL-CONFIG-0002"


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    size: Annotated[int, msgspec.Meta(description="how large")] = 1
    durability: Annotated[
        Literal["process", "power"], msgspec.Meta(description="handed in", extra={GIVEN_BY: "node.durability"})
    ] = "process"


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    parts: list[Part] = []
    spine: Part = Part()


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('[spine]\nsize = 2\ndurability = "power"', 3, "spine.durability"),
        ('[spine]\ndurability = "process"', 2, "spine.durability"),
        ('[[parts]]\nsize = 1\n[[parts]]\ndurability = "nonsense"', 4, "parts.1.durability"),
    ],
)
def test_a_key_that_is_set_elsewhere_is_refused_with_that_place(tmp_path, text, line, key):
    path = write(tmp_path, text)
    with pytest.raises(MovedKeyError, match=r"node\.durability") as refused:
        load(path, Node)
    assert refused.value.code == "HL-CONFIG-0004"
    assert refused.value.place == f"{path}:{line}: {key}"
    value = text.rpartition(" = ")[2]
    assert refused.value.hint == f"remove this line and write durability = {value} below [node]"


def test_what_is_set_elsewhere_is_in_no_example():
    assert [key for key, *_ in describe(Node)] == ["parts", "spine.size"]
    assert "durability" not in sample(Node)
    with pytest.raises(UnknownKeyError) as refused:
        convert({"spine": {"durabilty": "power"}}, Node, place="x")
    assert refused.value.hint == "known keys here: size"
    assert msgspec.structs.replace(Part(), durability="power").durability == "power"


def test_where_nothing_is_near_all_keys_are_named(tmp_path):
    with pytest.raises(UnknownKeyError) as refused:
        load(write(tmp_path, "xyzzy = 1"), House)
    assert "organisation" in refused.value.hint
    assert "retention" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "line", "key", "what"),
    [
        ("organisation = 5", 1, "organisation", "Expected `str`"),
        ("\n[retention]\ndays = 0", 3, "retention.days", ">= 1"),
        ('[retention]\ndays = "7"', 2, "retention.days", "Expected `int`"),
        ("[[connectors]]\nname = 'a'\nport = 70000", 3, "connectors.0.port", "65535"),
        ("[[connectors]]\nport = 7", 1, "connectors.0", "name"),
        ('durability = "maybe"', 1, "durability", "enum"),
        ("connectors = 3", 1, "connectors", "array"),
        ("retention = 3", 1, "retention", "Expected"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(tmp_path, text, line, key, what):
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError, match=what) as refused:
        load(path, House)
    assert refused.value.place == f"{path}:{line}: {key}"
    assert type(refused.value) is ConfigurationError


@pytest.mark.parametrize("content", [b"= 1", b"a = [", b"a = 1\na = 2", b"\xff\xfe", b"[a]\n[a]"])
def test_what_is_no_toml(tmp_path, content):
    path = tmp_path / "hulian.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        load(path, House)
    assert str(path) in refused.value.place


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        load(tmp_path / "nowhere.toml", House)


@given(st.dictionaries(st.sampled_from(["organisation", "retention", "tags", "x", "named"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6,
)))  # fmt: skip
def test_any_document_fits_or_is_one_clear_error(document):
    refused = None
    try:
        assert isinstance(convert(document, House, place="x"), House)
    except ConfigurationError as error:
        refused = error
    assert refused is None or (refused.message and refused.place.startswith("x"))


class TestSample:
    def test_every_key_stands_in_it_once(self):
        keys = [key for key, *_ in describe(House)]
        assert len(keys) == len(set(keys))
        assert {"organisation", "retention.days", "retention.folder", "connectors"} <= set(keys)

    def test_it_is_toml_as_it_is_and_changes_nothing(self, tmp_path):
        assert load(write(tmp_path, sample(House)), House) == House()

    def test_it_is_toml_with_every_key_set(self, tmp_path):
        lines = [line.removeprefix("# ") if " = " in line or "# [" in line else line for line in sample(House).splitlines()]
        assert tomllib.loads("\n".join(lines))["retention"]["folder"] == 'C:\\data "x"'
        assert load(write(tmp_path, "\n".join(lines)), House) == House(spare=Retention())

    def test_a_table_that_need_not_be_there_is_a_comment(self):
        assert "# a second store\n# [spare]" in sample(House)
        assert ("spare", "optional table", None, "a second store") in describe(House)

    def test_the_descriptions_are_in_it(self):
        assert "# kept so long (int)" in sample(House)


class TestSecrets:
    SECRET = "tiger-Secret-4711"

    def test_the_three_ways(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PLC", self.SECRET)
        (tmp_path / "s").write_text(self.SECRET + "\r\n")
        assert resolve_secret("env:PLC") == self.SECRET
        assert resolve_secret(f"file:{tmp_path / 's'}") == self.SECRET
        assert resolve_secret("secret:plc", {"plc": self.SECRET}.get) == self.SECRET

    @pytest.mark.parametrize(
        "reference", ["env:NOT_SET_4711", "file:/nowhere/at/all", "secret:plc", "", "env:", "x:y", "secret:"]
    )
    def test_references_that_lead_nowhere(self, reference):
        with pytest.raises(SecretError) as refused:
            resolve_secret(reference, {}.get)
        assert refused.value.hint

    @pytest.mark.parametrize("wrong", [SECRET, f"{SECRET}:x", f"password:{SECRET}", f" env:{SECRET}", f"{SECRET}:{SECRET}"])
    def test_a_secret_in_the_place_of_a_reference_is_not_repeated(self, wrong):
        with pytest.raises(SecretError) as refused:
            resolve_secret(wrong)
        assert self.SECRET not in f"{refused.value} {refused.value.hint} {refused.value.as_dict()}"

    def test_a_file_that_is_no_text_is_not_shown(self, tmp_path):
        (tmp_path / "s").write_bytes(self.SECRET.encode() + b"\xff")
        with pytest.raises(SecretError) as refused:
            resolve_secret(f"file:{tmp_path / 's'}")
        assert refused.value.__cause__ is None
        assert self.SECRET not in repr(refused.value)

    def test_a_wrong_type_does_not_show_the_value(self, tmp_path):
        class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
            password: int = 0

        with pytest.raises(ConfigurationError) as refused:
            load(write(tmp_path, f'password = "{self.SECRET}"'), Login)
        assert self.SECRET not in f"{refused.value} {refused.value.hint}"


def test_the_secrets_that_a_configuration_refers_to_are_found_wherever_they_stand():
    class Inner(msgspec.Struct):
        password: str
        more: dict[str, list[str]]

    class Outer(msgspec.Struct):
        one: Inner
        port: int

    whole = Outer(Inner("secret:a", {"x": ["secret:b/c", "env:d", "no secret: here"]}), 1)
    assert sorted(secrets_of(whole)) == ["a", "b/c"]
