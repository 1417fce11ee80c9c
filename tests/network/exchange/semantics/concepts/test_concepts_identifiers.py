"""Identifiers of concepts, in the spellings that documents have."""

from __future__ import annotations

import json
import re
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.exchange.semantics import concepts
from hulian.network.exchange.semantics.errors import ConceptError


@pytest.mark.parametrize(
    "text",
    [
        "0173-1#02-AAO677#002", "0173/1///02#AAO677#002", "0173/1///#02-AAO677#002", "IRDI:0173-1#02-AAO677#002",
        "ECLASS:0173-1#02-AAO677#002",
        "eclass:0173-1#02-aao677#2", "urn:irdi:0173-1#02-AAO677#002", "[IRDI] 0173-1#02-AAO677#002", " 0173-1#02-AAO677#002 ",
        "https://api.eclass-cdp.com/0173-1-02-AAO677-002", "https://www.eclass.eu/x/0173-1%2302-AAO677%23002",
        "0173-1---02-AAO677#002",
        "0173-1#02-AAO677#002~0", "0173-1#01-AHF578#001/0173-1#02-AAO677#002", "0173-1#01-AHF578#001*0173-1#02-AAO677#002",
    ],
)  # fmt: skip
def test_spellings_of_eclass(text):
    found = concepts.parse(text)
    assert (found.scheme, found.key, found.version) == ("irdi", "0173/1///02#AAO677", "002")
    assert found.canonical == "0173/1///02#AAO677#002"
    assert str(found) == "0173-1#02-AAO677#002"


@pytest.mark.parametrize(
    "text",
    [
        "0112/2///61987#ABA565#007", "0112/2///61987#ABA565#7", "IRDI:0112/2///61987#aba565#007", "0112-2---61987#ABA565#007",
        "https://cdd.iec.ch/cdd/iec61987/iec61987.nsf/PropertiesAllVersions/0112-2---61987%23ABA565%23007",
        "https://cdd.iec.ch/CDD/IEC61987/iec61987.nsf/classes/0112-2---61987%23ABA565%23007?OpenDocument",
        "urn:irdi:0112/2///61987%23ABA565%23007",
    ],
)  # fmt: skip
def test_spellings_of_iec(text):
    found = concepts.parse(text)
    assert (found.key, found.version, found.text) == ("0112/2///61987#ABA565", "007", "0112/2///61987#ABA565#007")
    assert found.canonical == found.text


def test_with_and_without_version():
    assert concepts.same("0173-1#02-AAO677#002", "0173-1#02-AAO677#003")
    assert not concepts.same("0173-1#02-AAO677#002", "0173-1#02-AAO677#003", version=True)
    assert concepts.same("0112/2///61360_4#AAE685", "0112-2---61360_4#AAE685#001")
    assert not concepts.same("0112/2///61360_4#AAE685", "0112/2///61360_4#AAE685#001", version=True)
    assert not concepts.same("0173-1#02-AAO677#002", "0173-1#02-AAO678#002")
    assert not concepts.same("0173-1#02-AAO677#002", "0173-1#01-AAO677#002")


def test_uris():
    submodel = "https://admin-shell.io/zvei/nameplate/2/0/Nameplate"
    assert concepts.parse(submodel).version == "2/0"
    assert concepts.same(submodel, "https://admin-shell.io/zvei/nameplate/1/0/Nameplate")
    assert not concepts.same(submodel, "https://admin-shell.io/zvei/nameplate/1/0/Nameplate", version=True)
    assert concepts.same("http://qudt.org/vocab/quantitykind/Pressure", "https://QUDT.org/vocab/quantitykind/Pressure/")
    assert concepts.parse("hulian:pressure").key == "hulian:pressure"
    assert concepts.parse("http://opcfoundation.org/UA/DI/").scheme == "uri"


@pytest.mark.parametrize(
    "text", ["", "RoleLib/Pump", "pressure", "[IRDI]", "IRDI:pump", "http://", "0173-1", "x" * 5000, "http://[::", "IRDI: "]
)
def test_what_names_nothing_is_refused(text):
    assert concepts.recognise(text) is None
    with pytest.raises(ConceptError) as error:
        concepts.parse(text, place="line 7")
    assert error.value.hint
    assert error.value.place == "line 7"
    assert concepts.same(text, text)


@pytest.mark.parametrize(
    "reference",
    [
        {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": "0173-1#02-AAO677#002"}]},
        [{"type": "Submodel", "value": "x"}, {"type": "ConceptDescription", "value": "0173-1#02-AAO677#002"}],
        "(GlobalReference)0173-1#02-AAO677#002",
        "(GlobalReference)(no-local)[IRDI]0173-1#02-AAO677#002",
        "(Submodel)(local)[IRI]Pump,(ConceptDescription)(local)[IRDI]0173-1#02-AAO677#002",
    ],
)
def test_references_of_aas(reference):
    assert concepts.of_reference(reference).text == "0173-1#02-AAO677#002"


def test_a_reference_to_nothing():
    with pytest.raises(ConceptError):
        concepts.of_reference({"keys": [{"type": "GlobalReference", "value": "pump"}]})
    with pytest.raises(ConceptError):
        concepts.of_reference([])


def test_entries_of_opc_ua():
    concept = concepts.parse("0112-2---61987%23ABA565%23007")
    node = concepts.node_of(concept)
    assert node == "nsu=http://opcfoundation.org/UA/Dictionary/IRDI;s=0112/2///61987#ABA565#007"
    assert concepts.concept_of_node(node) == concept
    eclass = concepts.parse("0173/1///02#AAO677#002")
    assert concepts.node_of(eclass).endswith("/IRDI;s=0173-1#02-AAO677#002")
    assert concepts.concept_of_node(concepts.node_of(eclass)) == eclass
    assert concepts.node_of(concepts.parse("https://example.com/x")).startswith(
        "nsu=http://opcfoundation.org/UA/Dictionary/URI;s="
    )
    assert concepts.concept_of_node("nsu=http://opcfoundation.org/UA/;i=85") is None


@pytest.mark.samples("aas")
def test_every_semantic_id_of_the_samples_is_an_identifier(samples):
    """Of the packages that exist: what looks like an IRDI is read as one, and is the same after it was written."""
    seen = set()
    for package in sorted((samples / "aas").glob("*.aasx"))[:20]:
        with zipfile.ZipFile(package) as opened:
            for name in opened.namelist():
                if name.endswith((".xml", ".json")):
                    seen |= set(
                        re.findall(r"[>\"](0(?:173|112)[^<\"]{3,80})[<\"]", opened.read(name).decode("utf-8", "replace"))
                    )
    irdis = {text for text in seen if "#" in text}
    assert len(irdis) > 20
    unknown = {text for text in irdis if concepts.recognise(text) is None}
    assert unknown <= {text for text in irdis if not re.match(r"0\d{3}[-/]\d", text)}, unknown
    for text in irdis - unknown:
        found = concepts.parse(text)
        assert concepts.parse(str(found)) == found
        assert concepts.parse(found.canonical) == found


@given(
    st.from_regex(r"0[0-9]{3}/[0-9]{1,2}///[0-9]{2,5}(_[0-9])?#[A-Z]{3}[0-9]{3}(#[0-9]{3})?", fullmatch=True),
    st.sampled_from(["{}", "IRDI:{}", " {} ", "urn:irdi:{}"]),
)
def test_one_form_for_all(text, around):
    found = concepts.parse(around.format(text))
    assert found.scheme == "irdi"
    assert concepts.parse(found.canonical) == found
    assert concepts.parse(found.text) == found


@pytest.mark.fuzz
@given(st.one_of(st.text(max_size=300), st.text(alphabet="0173-1#2/AO67%3~*[]:htps.IRD ", max_size=120)))
def test_any_text_is_a_concept_or_none(text):
    found = concepts.recognise(text)
    if found is not None:
        again = concepts.recognise(found.text)
        assert again is not None
        assert again.same(found, version=True)
    json.dumps(found.text if found else None)
