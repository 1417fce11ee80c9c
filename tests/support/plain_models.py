"""Small models for tests, written in the model's own language."""

from __future__ import annotations

import io

import msgspec

from hulian.network.exchange.semantics.contract import Attachment, Document, Node, Reference
from hulian.network.exchange.semantics.documents import memory_source
from hulian.network.exchange.semantics.model import Meanings, Model

FACTORS = {("bar", "bar"): (1.0, 0.0), ("kPa", "bar"): (0.01, 0.0), ("bar", "kPa"): (100.0, 0.0), ("kPa", "kPa"): (1.0, 0.0)}


def meanings() -> Meanings:
    """Concepts are what begins with ``0112`` or ``http``; two words are known; bar and kPa are."""
    words = {"outlet pressure": ["0112/2///1#AAA001"], "pump": ["0112/2///1#PPP001"]}

    def normal(text):
        return text.rsplit("#", 1)[0] if text.count("#") == 2 else text if text.startswith(("0112", "http")) else None

    return Meanings(normal, lambda text: words.get(text, []), lambda unit, wanted: FACTORS.get((unit, wanted)))


def a_model(registry) -> Model:
    return Model(registry, meanings())


def source(nodes: list[Node], references: list[Reference] = (), attachments: list[Attachment] = (), **document):
    """A document of the plain format, as it would come from a file."""
    lines = [msgspec.json.encode({"hulian": 1, "document": Document(name="x", format="hulian", **document)})]
    lines += [msgspec.json.encode({"node": node}) for node in nodes]
    lines += [msgspec.json.encode({"reference": reference}) for reference in references]
    lines += [msgspec.json.encode({"attachment": attachment}) for attachment in attachments]
    return memory_source("plant.hulian.jsonl", b"\n".join(lines))


def written(form, content) -> bytes:
    out = io.BytesIO()
    assert form.write(content, out) == []
    return out.getvalue()
