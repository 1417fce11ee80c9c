"""The page on codes: its examples run, and it names every scheme and every field of a template."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

from hulian.network.identifiers import schemes
from hulian.network.identifiers.schemes import Scheme

PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-codes.md"


def test_the_examples_run():
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 10
    shown = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
    assert result.failed == 0, "".join(told)
    assert result.attempted >= 35


def test_every_scheme_has_its_row():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows[: len(Scheme)] == [
        scheme.value for scheme in (Scheme.HANDLE, Scheme.VAA, Scheme.OID, Scheme.ECODE, Scheme.GS1, Scheme.EPC, Scheme.DID)
    ]


def test_the_examples_in_docstrings_run():
    attempted = 0
    for module in pkgutil.walk_packages(schemes.__path__, schemes.__name__ + "."):
        result = doctest.testmod(importlib.import_module(module.name))
        assert result.failed == 0, module.name
        attempted += result.attempted
    assert attempted >= 25
