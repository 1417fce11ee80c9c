"""The table of units against the files that it was made of: every unit, every code, every pair of some dimensions."""

from __future__ import annotations

import csv
import itertools
import math
import os
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pyoxigraph
import pytest

from hulian.network.exchange.semantics import units
from hulian.network.exchange.semantics.errors import DimensionError, UnitError

VOCABULARY = "units/VOCAB_QUDT-UNITS-ALL.ttl"
CODES = "units/UNECE_to_OPCUA.csv"
FOLDER = Path(os.environ.get("HULIAN_SAMPLES") or Path(__file__).parents[6] / "shared" / "samples")
UNIT = "http://qudt.org/vocab/unit/"
SCHEMA = "http://qudt.org/schema/qudt/"
PAIRED = ["L-1M1T-2", "H1", "L3T-1", "L2M1T-3", "L1T-1", "E1", "T1", "L-1M1T-1"]


@pytest.fixture(scope="module")
def published():
    """By local name: what QUDT's own file says of each unit."""
    facts = defaultdict(lambda: defaultdict(list))
    for quad in pyoxigraph.parse(path=str(FOLDER / VOCABULARY), format=pyoxigraph.RdfFormat.TURTLE):
        if isinstance(quad.subject, pyoxigraph.NamedNode) and quad.subject.value.startswith(UNIT):
            value = getattr(quad.object, "value", None)
            facts[quad.subject.value[len(UNIT) :]][quad.predicate.value.removeprefix(SCHEMA)].append(value)
    return facts


def vector(dimension):
    powers = dict.fromkeys("AELIMHT", 0)
    at = 0
    while at < len(dimension):
        end = at + 1
        while end < len(dimension) and dimension[end] not in powers:
            end += 1
        powers[dimension[at]] = dimension[at + 1 : end]
        at = end
    return "".join(f"{letter}{power}" for letter, power in powers.items())


@pytest.mark.samples(VOCABULARY)
def test_every_unit_is_there_with_its_dimension_and_factor(published):
    assert len(published) > 2900
    for name, facts in published.items():
        unit = units.find(UNIT + name)
        assert unit.name == name
        assert units.find(f"unit:{name}") is unit
        shown = "NotApplicable" if unit.dimension is None else vector(unit.dimension)
        assert shown == facts["hasDimensionVector"][0].rpartition("/")[2].partition("D")[0]
        factor = Decimal(facts["conversionMultiplier"][0])
        if factor == 0:
            assert unit.factor is None
        else:
            assert abs(Decimal(unit.factor.numerator) / Decimal(unit.factor.denominator) / factor - 1) < Decimal("1e-26")
            assert float(unit.factor) == float(factor)
        assert float(unit.offset) == float((facts["conversionOffset"] or ["0"])[0])


@pytest.mark.samples(VOCABULARY)
@pytest.mark.parametrize(
    ("scheme", "predicate"),
    [("unece", "uneceCommonCode"), ("irdi", "iec61360Code"), ("ucum", "ucumCode"), ("symbol", "symbol")],
)
def test_every_code_leads_to_its_unit_or_to_one_of_the_same_size(published, scheme, predicate):
    """A code that QUDT gives to several units of different sizes is never answered with one that does not have it."""
    owners = defaultdict(set)
    for name, facts in published.items():
        for code in facts[predicate]:
            if not facts["deprecated"]:
                owners[code].add(name)
    assert len(owners) > 1400
    for code, names in owners.items():
        found = units.candidates(code, scheme)
        assert found, code
        assert {unit.name for unit in found if code not in unit.spellings} <= names, code
        if len(names) == 1:
            assert units.find(code, scheme).name in names
        elif len(found) == 1 and len({Decimal(published[name]["conversionMultiplier"][0]) for name in names}) > 1:
            assert found[0].symbol  # it was chosen because another list says the same: seen below, one by one


@pytest.mark.samples(VOCABULARY, CODES)
def test_where_a_code_is_of_several_units_the_other_lists_decide():
    assert units.find("C26", "unece").name == "MilliSEC"  # QUDT gives it to DeciSEC, too
    assert units.find("K", "symbol").name == "K"  # and not the kayser
    assert units.find("L", "symbol").name == "L"  # and no currency
    assert units.find("0112/2///62720#UAA323").name == "BAR"  # and not the absolute one
    with pytest.raises(units.AmbiguousUnitError) as error:
        units.find("D")
    assert {UNIT + "DEBYE", UNIT + "DIOPTER", UNIT + "DENIER"} == set(error.value.candidates)
    assert "DIOPTER" in str(error.value)


@pytest.mark.samples(VOCABULARY)
@pytest.mark.parametrize("dimension", PAIRED)
def test_every_pair_of_a_dimension_converts_as_published(published, dimension):
    members = [unit for unit in units.table().units if unit.dimension == dimension and unit.factor is not None]
    members = [unit for unit in members if unit.reference == ""][:90]
    assert len(members) > 4
    values = np.array([0.0, 1.0, -40.0, 212.0, 1e-9, 123456.789, 1e12, 0.1])
    with localcontext() as context:
        context.prec = 60
        for a, b in itertools.product(members, repeat=2):
            converted = units.convert(values, a, b)
            factor_a, offset_a = numbers(published[a.name])
            factor_b, offset_b = numbers(published[b.name])
            for value, ours in zip(values, converted, strict=True):
                base = (Decimal(float(value)) + offset_a) * factor_a
                wanted = base / factor_b - offset_b
                scale = max(abs(wanted), abs(base / factor_b), Decimal("1e-300"))
                assert abs(Decimal(float(ours)) - wanted) <= scale * Decimal("3e-16"), (a.name, b.name, value)
                alone = units.convert(float(value), a, b)  # differs only where the truth lies between two doubles
                assert abs(alone - ours) <= math.ulp(alone) or abs(wanted) < scale * Decimal("1e-9")


def numbers(facts):
    return Decimal(facts["conversionMultiplier"][0]), Decimal((facts["conversionOffset"] or ["0"])[0])


@pytest.mark.samples(VOCABULARY)
def test_no_pair_of_dimensions_is_confused():
    chosen = {}
    for unit in units.table().units:
        if unit.dimension is not None and unit.factor is not None:
            chosen.setdefault(unit.dimension, unit)
    assert len(chosen) > 200
    for a, b in itertools.permutations(list(chosen.values())[:60], 2):
        with pytest.raises(DimensionError) as error:
            units.conversion(a, b)
        assert a.title in str(error.value)
        assert b.title in str(error.value)
        assert error.value.hint


@pytest.mark.samples(CODES)
def test_all_rows_of_the_opc_ua_table(samples):
    with (samples / CODES).open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 1827
    with_factor = 0
    for row in rows:
        code, number = row["UNECECode"], int(row["UnitId"])
        assert units.unit_id(code) == number
        assert units.code_of(number) == code
        found = units.candidates(code, "unece")
        assert found, code
        assert all(code in unit.unece for unit in found)
        assert all(number in map(units.unit_id, unit.unece) for unit in found)
        if len(found) == 1:
            assert units.of_unit_id(number) is found[0]
            with_factor += found[0].factor is not None
        shown = units.candidates(row["DisplayName"].strip(), "symbol")
        named = {spelling for unit in found for spelling in (unit.symbol, *unit.spellings)}
        assert row["DisplayName"].strip() in named, code
        assert shown, code
    assert with_factor > 1350


@pytest.mark.samples(VOCABULARY, CODES)
def test_the_table_is_the_one_that_the_published_files_give(samples, tmp_path):
    """The committed table is what its program makes: nothing was changed by hand."""
    import hulian.network.exchange.semantics.units as room

    folder = tmp_path / "room"
    folder.mkdir()
    for name in ("make_table.py",):
        (folder / name).write_bytes((samples_room(room) / name).read_bytes())
    subprocess.run(
        [sys.executable, str(folder / "make_table.py"), str(samples / VOCABULARY), str(samples / CODES)],
        check=True,
        timeout=120,
    )
    assert (folder / "units.tsv").read_bytes() == (samples_room(room) / "units.tsv").read_bytes()
    assert (folder / "units.tsv").stat().st_size < 300_000


def samples_room(room):
    return Path(room.__file__).parent


def test_numbers_that_are_no_units():
    for number in (-1, 0, 1 << 24, 0x2F2F2F, 0xFFFF):
        with pytest.raises(UnitError) as error:
            units.of_unit_id(number)
        assert str(number) in error.value.place
    with pytest.raises(UnitError):
        units.of_unit_id(4408652, "http://example.com/units")
    for code in ("", "ABCD", "é", "A B"):
        with pytest.raises(ValueError, match="UNECE"):
            units.unit_id(code)
