"""Makes `units.tsv` of the two published tables: ``python make_table.py VOCAB_QUDT-UNITS-ALL.ttl UNECE_to_OPCUA.csv``.

Run when one of them has a new edition. Only facts are taken: codes, symbols, dimensions, factors and offsets; no descriptions.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

import pyoxigraph

_UNIT: Final = "http://qudt.org/vocab/unit/"
_SCHEMA: Final = "http://qudt.org/schema/qudt/"
_IRDI: Final = "0112/2///62720#"
_HEADER: Final = """\
# Units of measure: facts taken from two published tables by make_table.py beside this file.
# QUDT.org, Units-All: Creative Commons Attribution 4.0 (CC BY 4.0), changed: a selection, in another form. Its UCUM codes:
# this product includes all or a portion of the UCUM table, UCUM codes, and UCUM definitions or is derived from it, subject to
# a license from Regenstrief Institute, Inc. and The UCUM Organization; copyright 1995-2009, provided as is, without warranty;
# the license is at http://unitsofmeasure.org.
# OPC Foundation, UNECE_to_OPCUA.csv: display names of the codes of UNECE Recommendation 20.
# A value of the unit is (value + offset) * factor in coherent SI units; no factor: not known, or not a matter of a factor.
# name\tdimension\tfactor\toffset\tsymbol\tUNECE\tIEC 62720\tUCUM\tother spellings\treplaced by, where out of use
"""


def main(vocabulary: Path, codes: Path, target: Path) -> None:
    """Writes ``target``."""
    facts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for quad in pyoxigraph.parse(path=str(vocabulary), format=pyoxigraph.RdfFormat.TURTLE):
        subject, value = quad.subject, quad.object
        if isinstance(subject, pyoxigraph.NamedNode) and isinstance(value, (pyoxigraph.NamedNode, pyoxigraph.Literal)):
            name = subject.value
            if name.startswith(_UNIT):
                facts[name[len(_UNIT) :]][quad.predicate.value.replace(_SCHEMA, "")].append(value.value)
    names: dict[str, str] = {}
    with codes.open(encoding="utf-8-sig", newline="") as opened:
        for row in csv.DictReader(opened):
            names[row["UNECECode"]] = row["DisplayName"].strip()
    lines = [_line(name, found, names) for name, found in sorted(facts.items())]
    known = {code for found in facts.values() for code in found["uneceCommonCode"]}
    lines += [f"\t\t\t\t{shown}\t{code}\t\t\t\t" for code, shown in sorted(names.items()) if code not in known]
    target.write_text(_HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def _line(name: str, found: dict[str, list[str]], names: dict[str, str]) -> str:
    dimension = found["hasDimensionVector"][0].rpartition("/")[2]
    factor = _number(found["conversionMultiplier"][0])
    symbol = found["symbol"][0] if found["symbol"] else ""
    spellings = [*found["altSymbol"], *found["udunitsCode"]]
    spellings += [names[code] for code in found["uneceCommonCode"] if code in names]
    spellings = sorted({spelling for spelling in spellings if spelling and spelling != symbol})
    replaced = [other.rpartition("/")[2] for other in found["http://purl.org/dc/terms/isReplacedBy"]]
    if found["deprecated"] and not replaced:
        replaced = [name]
    return "\t".join(
        (
            name,
            _dimension(dimension),
            "" if factor == "0" else factor,
            _number(found["conversionOffset"][0]) if found["conversionOffset"] else "",
            symbol,
            " ".join(sorted(found["uneceCommonCode"])),
            " ".join(sorted(code.removeprefix(_IRDI) for code in found["iec61360Code"])),
            " ".join(sorted(found["ucumCode"])),
            "|".join(spellings),
            replaced[0] if replaced else "",
        )
    )


def _number(text: str) -> str:
    return text.rstrip("0").removesuffix(".") if "." in text else text


def _dimension(vector: str) -> str:
    """``A0E0L-1I0M1H0T-2D0`` as ``L-1M1T-2``; the letters stay QUDT's. Empty: a plain number; ``-``: none."""
    if vector == "NotApplicable":
        return "-"
    letters, found = "AELIMHTD", []
    for at, letter in enumerate(letters):
        rest = vector.partition(letter)[2]
        power = rest.partition(letters[at + 1])[0] if at + 1 < len(letters) else rest
        if letter != "D" and power != "0":
            found.append(letter + power)
    return "".join(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(__file__).with_name("units.tsv"))
