"""What plants write, and what values become."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.exchange.semantics import units
from hulian.network.exchange.semantics.errors import DimensionError, UnitError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *[(text, "DEG_C") for text in ("°C", "degC", "deg C", "℃", "º C".replace(" ", ""), "Cel", "CEL", "摄氏度", " °C ")],
        *[(text, "M3-PER-HR") for text in ("m3/h", "m³/h", "m^3/h", "m3.h-1", "m³·h⁻¹", "m3/hr", "cbm/h", "MQH")],
        *[(text, "L-PER-MIN") for text in ("l/min", "L/min", "ltr/min", "L.min-1", "LPM", "L2")],
        *[(text, "W-PER-M2-K") for text in ("W/(m²·K)", "W/(m2.K)", "W/(m2*K)", "W.m-2.K-1", "W/m2/K")],
        *[(text, "MicroS-PER-CentiM") for text in ("µS/cm", "μS/cm", "uS/cm")],
        *[(text, "KiloPA") for text in ("kPa", "KPA", "千帕", "http://qudt.org/vocab/unit/KiloPA", "unece:KPA", "ucum:kPa")],
        *[(text, "BAR") for text in ("bar", "BAR", "Bar", "0112/2///62720#UAA323", "0112-2---62720#UAA323")],
        *[(text, "BAR") for text in ("IRDI:0112/2///62720#UAA323#001", "0112/2///62720#02-UAA323#001")],
        *[(text, "REV-PER-MIN") for text in ("rpm", "RPM", "U/min", "r/min", "转/分")],
        ("%", "PERCENT"), ("kWh", "KiloW-HR"), ("Nm", "N-M"), ("mPa·s", "MilliPA-SEC"), ("mPas", "MilliPA-SEC"),
        ("1/min", "PER-MIN"), ("立方米/小时", "M3-PER-HR"), ("bar abs", "BAR_A"),
        ("kg/(m·s)", "KiloGM-PER-M-SEC"), ("", "UNITLESS"), ("inH2O", "IN_H2O"), ("psi", "PSI"), ("mg/l", "MilliGM-PER-L"),
    ],
)  # fmt: skip
def test_spellings(text, name):
    assert units.find(text).name == name


@pytest.mark.parametrize(
    ("text", "name", "reference", "title"),
    [
        *[(text, "BAR", "gauge", "bar(g)") for text in ("bar(g)", "barg", "bar g", "bar (g)", "barG", "bar_g", "barü")],
        *[(text, "BAR", "absolute", "bar(a)") for text in ("bar(a)", "bara", "bar a", "bar(abs)")],
        ("psig", "PSI", "gauge", "psi(g)"), ("psia", "PSI", "absolute", "psi(a)"), ("kPa(g)", "KiloPA", "gauge", "kPa(g)"),
        ("mbar(a)", "MilliBAR", "absolute", "mbar(a)"), ("Nm3/h", "M3-PER-HR", "normal", "Nm³/h"),
        ("SCFM", "FT3-PER-MIN", "standard", "Sft³/min"),
        ("Nm³/h", "M3-PER-HR", "normal", "Nm³/h"), ("Nl/min", "L-PER-MIN", "normal", "NL/min"),
    ],
)  # fmt: skip
def test_from_where_it_counts_is_kept(text, name, reference, title):
    found = units.find(text)
    assert (found.name, found.reference, found.title) == (name, reference, title)


@pytest.mark.parametrize("text", ["Δ°C", "delta °C", "ΔdegC", "delta degC", "°C diff"])
def test_differences(text):
    found = units.find(text)
    assert found.name == "DEG_C"
    assert found.difference
    assert units.convert(10.0, found, "ΔK") == 10.0
    assert units.convert(9.0, "Δ°F", found) == 5.0


@pytest.mark.parametrize(("text", "meant"), [("mw", {"MW", "mW"}), ("HP", {"HP", "mmH₂0"}), ("GB", {"GB", "gal{US}/d"})])
def test_an_ambiguous_spelling_names_its_candidates(text, meant):
    with pytest.raises(units.AmbiguousUnitError) as error:
        units.find(text)
    assert {units.find(candidate).symbol for candidate in error.value.candidates} == meant
    assert all(symbol in str(error.value) for symbol in meant)
    assert error.value.hint


@pytest.mark.parametrize(
    "text", ["blorp", "m//", "((((((m))))))", "m" * 500, "/", "\0", "^3", "m3/", "1 2 3", "http://qudt.org/vocab/unit/NOPE"]
)
def test_what_is_no_unit_is_refused_with_its_place(text):
    with pytest.raises(UnitError) as error:
        units.find(text)
    assert error.value.place
    assert error.value.hint
    assert len(str(error.value)) < 400


def test_temperatures_are_exact():
    assert units.convert(212.0, "°F", "°C") == 100.0
    assert units.convert(32.0, "°F", "°C") == 0.0
    assert units.convert(-40.0, "°C", "°F") == -40.0
    assert units.convert(0.0, "°C", "K") == 273.15
    assert units.convert(100.0, "°C", "°F") == 212.0
    assert units.convert(np.array([212.0, 32.0, -40.0]), "°F", "°C").tolist() == [100.0, 0.0, -40.0]
    assert units.convert(1.0, "°C", "°F", difference=True) == 1.8


def test_arrays_keep_their_shape_and_what_is_not_a_number():
    values = np.array([[1.0, math.nan], [math.inf, -math.inf]])
    converted = units.convert(values, "bar", "Pa")
    assert converted.shape == (2, 2)
    assert converted[0, 0] == 100000.0
    assert math.isnan(converted[0, 1])
    assert converted[1].tolist() == [math.inf, -math.inf]
    assert values[0, 0] == 1.0
    assert units.convert(np.array([1, 2], dtype=np.int32), "bar", "kPa").tolist() == [100.0, 200.0]
    assert units.convert(1e308, "km", "mm") == math.inf
    assert units.convert(np.array([1e308, -1e308]), "km", "mm").tolist() == [math.inf, -math.inf]
    assert math.isnan(units.convert(math.nan, "°F", "°C"))
    assert units.convert(np.array([math.inf]), "°F", "°C").tolist() == [math.inf]


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e280, max_value=1e280))
def test_an_array_and_a_number_become_the_same(value):
    for source, target in [("°F", "°C"), ("bar", "psi"), ("m3/h", "gpm"), ("kWh", "kcal"), ("°C", "K"), ("rpm", "Hz")]:
        if source == "rpm":
            target = "rad/s"
        alone = units.convert(value, source, target)
        together = float(units.convert(np.array([value]), source, target)[0])
        assert together == alone or abs(together - alone) <= math.ulp(max(abs(alone), 1e-280))


@given(st.floats(min_value=1e-200, max_value=1e200))
def test_one_way_and_back(value):
    there = units.conversion("psi", "kPa")
    back = units.conversion("kPa", "psi")
    assert there.factor * back.factor == Fraction(1)
    assert abs(back.one(there.one(value)) - value) <= 2 * math.ulp(value)


@pytest.mark.parametrize(
    ("source", "target", "error", "said"),
    [
        ("bar", "°C", DimensionError, ("bar", "°C", "L-1M1T-2", "H1")),
        ("%", "bar", DimensionError, ("a plain number",)),
        ("bar(g)", "bar(a)", units.ReferencePointError, ("gauge", "absolute")),
        ("Nm3/h", "m3/h", units.ReferencePointError, ("normal", "actual")),
        ("°C", "ΔK", units.ReferencePointError, ("difference",)),
        ("pH", "%", units.NoFactorError, ("pH",)),
        ("NTU", "%", units.NoFactorError, ("NTU",)),
    ],
)
def test_what_cannot_be_converted_is_refused(source, target, error, said):
    with pytest.raises(error) as raised:
        units.convert(1.0, source, target)
    assert all(word in str(raised.value) for word in said)
    assert raised.value.hint
    assert raised.value.place


def test_gauge_converts_to_gauge_and_to_what_does_not_say():
    assert units.convert(1.0, "bar(g)", "kPa(g)") == 100.0
    assert units.convert(1.0, "barg", "kPa") == 100.0
    assert units.convert(2.0, "pH", "pH") == 2.0


@pytest.mark.fuzz
@given(st.one_of(st.text(max_size=300), st.text(alphabet="m3/h.·()-^2°CbargN ΔμµkK[]{}%", max_size=80)))
def test_any_text_is_a_unit_or_a_unit_error(text):
    try:
        found = units.find(text)
    except UnitError:
        return
    assert units.find(found.id).name == found.name
