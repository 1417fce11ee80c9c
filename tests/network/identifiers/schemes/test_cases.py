"""The tables of cases: how each code is read, and what is said of each that is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hulian.network.identifiers.schemes import Vaa, candidates, errors, recognise

CASES = Path(__file__).parents[3] / "cases" / "identifiers"
CODES = tomllib.loads((CASES / "codes.toml").read_text())["case"]
WRONG = tomllib.loads((CASES / "wrong.toml").read_text())["case"]


def given(case):
    text = case["given"]
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text


@pytest.mark.parametrize("case", CODES, ids=lambda case: case["given"])
def test_code_is_read(case):
    code = recognise(given(case))
    assert (code.scheme.value, code.text) == (case["scheme"], case["text"])
    assert candidates(given(case))[0] == code
    if "parts" in case:
        assert dict(code.parts) == case["parts"]
    if "binary" in case:
        assert code.to_binary().hex() == case["binary"]
    if "url" in case:
        assert code.to_url() == case["url"]
    assert recognise(code.text) == code
    assert code.to_text() == str(code) == code.text


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["given"])
def test_wrong_code_names_rule_and_place(case):
    read = Vaa.parse if case.get("reader") == "vaa" else recognise
    with pytest.raises(errors.SchemeError) as caught:
        read(given(case))
    error = caught.value
    assert (type(error).__name__, error.rule, error.position) == (case["error"], case["rule"], case.get("position"))
    assert error.code.startswith("HL-ID-01")
    assert error.hint
    assert error.as_dict()["rule"] == case["rule"]
