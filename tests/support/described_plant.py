"""A small plant as a document of the model: two lines with pumps of three makers, each with names and units of its own."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hulian.network.exchange.semantics.contract import Constraints, Document, Kind, Node, Reference, Relation

PRESSURE = "hulian:pressure"
PUMP = "0112/2///61987#ABA001#001"
MAKERS = (("p_out", "bar"), ("PT_101", "kPa"), ("Austrittsdruck", "MPa"))
"""What each maker calls the pressure at the outlet, and the unit it measures it in."""


def nodes(more: int = 0) -> list[Node]:
    """``more`` spare parts stand in a store, to be paged through."""
    found = [
        Node(id="plant/types", kind=Kind.FOLDER, name="Types"),
        Node(
            id="plant/Pump",
            kind=Kind.OBJECT_TYPE,
            name="Pump",
            parent="plant/types",
            meanings=(PUMP,),
            labels={"en": "Pump", "zh": "泵"},
        ),
        Node(id="plant/Centrifugal", kind=Kind.OBJECT_TYPE, name="Centrifugal pump", parent="plant/types", type="plant/Pump"),
        Node(id="plant/Conveying", kind=Kind.ROLE, name="Conveying", parent="plant/types"),
        Node(id="plant/site", kind=Kind.OBJECT, name="North works", labels={"en": "North works", "zh": "北厂"}),
    ]
    for line in (1, 2):
        found.append(
            Node(
                id=f"plant/line{line}",
                kind=Kind.OBJECT,
                name=f"Line {line}",
                parent="plant/site",
                labels={"en": f"Line {line}", "zh": f"{line} 号线"},
            )
        )
        for number, (name, unit) in enumerate(MAKERS, 1):
            pump = f"plant/line{line}/P{number}"
            found += [
                Node(
                    id=pump,
                    kind=Kind.OBJECT,
                    name=f"P-{line}0{number}",
                    parent=f"plant/line{line}",
                    type="plant/Centrifugal" if number > 1 else "plant/Pump",
                    labels={"en": "Feed pump", "zh": "给水泵"},
                    descriptions={"en": "Feeds the boiler of its line.", "zh": "向本线锅炉供水。"},
                ),
                Node(
                    id=f"{pump}/out",
                    kind=Kind.PROPERTY,
                    name=name,
                    parent=pump,
                    unit=unit,
                    datatype="xs:double",
                    value="1.5",
                    meanings=(PRESSURE,),
                    labels={"en": "Outlet pressure", "zh": "出口压力"},
                    constraints=Constraints(low="0", high="16"),
                ),
                Node(
                    id=f"{pump}/maker",
                    kind=Kind.PROPERTY,
                    name="Manufacturer",
                    parent=pump,
                    datatype="xs:string",
                    value=f"Maker {number}",
                    relation=Relation.PROPERTY,
                ),
            ]
    if more:
        found.append(Node(id="plant/store", kind=Kind.FOLDER, name="Store", parent="plant/site"))
        found += [
            Node(id=f"plant/store/{number}", kind=Kind.OBJECT, name=f"Spare {number:04}", parent="plant/store")
            for number in range(more)
        ]
    return found


def references() -> list[Reference]:
    """Pumps of a line feed each other, all play a role, and one refers to what is nowhere."""
    found = []
    for line in (1, 2):
        found += [Reference(f"plant/line{line}/P{n}", Relation.LINK, f"plant/line{line}/P{n + 1}") for n in (1, 2)]
        found += [Reference(f"plant/line{line}/P{n}", Relation.ROLE, "plant/Conveying") for n in (1, 2, 3)]
    return [*found, Reference("plant/line2/P1", Relation.SAME, "elsewhere/pump")]


def content(more: int = 0) -> bytes:
    """The document, in the model's own format."""
    lines = [{"hulian": 1, "document": Document(name="plant", format="hulian", title="North works, as its engineers have it")}]
    lines += [{"node": node} for node in nodes(more)]
    lines += [{"reference": reference} for reference in references()]
    return b"\n".join(msgspec.json.encode(line) for line in lines)


def written(path: Path, more: int = 0) -> Path:
    """The document as a file."""
    path.write_bytes(content(more))
    return path
