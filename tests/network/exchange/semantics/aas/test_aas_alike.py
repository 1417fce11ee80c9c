"""Properties that are alike are understood once: what comes of them is what understanding each of them gives."""

import pytest
from semantic_content import Collected

from hulian.network.exchange.semantics.aas import FORMAT, alike
from hulian.network.exchange.semantics.aas.nodes import Builder
from hulian.network.exchange.semantics.documents import file_source, memory_source

_DOCUMENT = """<aas:environment xmlns:aas="https://admin-shell.io/aas/3/0"><aas:submodels><aas:submodel><aas:id>s</aas:id>
<aas:submodelElements>{}<aas:submodelElementList><aas:idShort>List</aas:idShort><aas:value>{}</aas:value>
</aas:submodelElementList></aas:submodelElements></aas:submodel></aas:submodels>
<aas:conceptDescriptions><aas:conceptDescription><aas:id>c</aas:id></aas:conceptDescription></aas:conceptDescriptions>
</aas:environment>"""


def prop(name, value, *inside, kind="xs:int", meaning="c", after=""):
    meant = f"""<aas:semanticId><aas:type>ExternalReference</aas:type><aas:keys><aas:key><aas:type>GlobalReference</aas:type>
    <aas:value>{meaning}</aas:value></aas:key></aas:keys></aas:semanticId>"""
    return f"""<aas:property><aas:idShort>{name}</aas:idShort>{"".join(inside)}{meant}
    <aas:valueType>{kind}</aas:valueType><aas:value>{value}</aas:value>{after}</aas:property>"""


def described(words):
    text = f"<aas:langStringTextType><aas:language>en</aas:language><aas:text>{words}</aas:text></aas:langStringTextType>"
    return f"<aas:description>{text}</aas:description>"


VARIANTS = [
    lambda n: prop(f"P{n}", n),
    lambda n: prop(f"Q{n}", n, described("a &gt; b &lt; c")),
    lambda n: prop(f"R{n}", "&lt;value&gt;&amp;", meaning="other"),
    lambda n: prop(f"S{n}", n, kind="int"),
    lambda n: prop("Twice", n, described("the same name")),
    lambda n: prop(f"no name {n}", n),
    lambda n: prop(f"T{n}", ""),
    lambda n: prop(f"U{n}", "<aas:unknown/>"),
    lambda n: prop(f"V{n}", n, "<aas:unknown/>"),
    lambda n: prop(f"W{n}", n, after="<aas:valueId><aas:type>ExternalReference</aas:type></aas:valueId>"),
    lambda n: prop(f"X{n}", n, "<aas:extensions><aas:extension><aas:name>e</aas:name></aas:extension></aas:extensions>"),
]


def read(document):
    losses = []
    content = Collected(*FORMAT.read(document, "d", losses))
    return list(content.nodes()), list(content.references()), losses


def both_ways(document, monkeypatch):
    made = []
    original = Builder.alike
    monkeypatch.setattr(Builder, "alike", lambda self, *given: (made.append(given[2]), original(self, *given))[1])
    fast = read(document)
    with monkeypatch.context() as patched:
        patched.setattr(alike, "_MOST", 0)
        count = len(made)
        assert read(document) == fast
        assert len(made) == count
    return fast, made


def test_alike_or_not_the_nodes_are_the_same(monkeypatch):
    elements = [variant(number) for variant in VARIANTS for number in range(4)]
    document = memory_source("a.xml", _DOCUMENT.format("".join(elements), "".join(elements[:8])).encode())
    (nodes, references, losses), made = both_ways(document, monkeypatch)
    # Of each four the first is understood; what is bent, or has no name of its own, each time.
    assert {name[0] for name in made} >= {"P", "Q", "R"}
    assert not {name[0] for name in made} & {"S", "V", "n"}
    assert made.count("P3") == 2
    values = {node.name: node.value for node in nodes}
    assert values["P2"] == "2"
    assert values["R3"] == "<value>&"
    assert [node.unit for node in nodes if node.name == "P0"] == ["", ""]
    assert any(reference.source == "s#P3" and reference.target == "d/c" for reference in references)
    assert losses


def test_what_is_remembered_is_bounded_and_belongs_to_nobody(monkeypatch):
    monkeypatch.setattr(alike, "_MOST", 2)
    elements = [variant(number) for number in range(2) for variant in VARIANTS[:4]]
    document = memory_source("a.xml", _DOCUMENT.format("".join(elements), "").encode())
    nodes, _, _ = read(document)
    assert len([node for node in nodes if node.parent == "s"]) == 9
    two = [node for node in nodes if node.name in ("Q0", "Q1")]
    two[0].descriptions["en"] = "changed"
    assert two[1].descriptions == {"en": "a > b < c"}


@pytest.mark.samples("aas")
def test_published_packages_are_read_alike_both_ways(samples, monkeypatch):
    made = []
    for path in sorted((samples / "aas").rglob("*.aasx")):
        made += both_ways(file_source(path), monkeypatch)[1]
    assert made
