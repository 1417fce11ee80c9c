"""The page on carriers: its examples run, and it names every symbology."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

from hulian.network.identifiers import carriers
from hulian.network.identifiers.carriers.symbols.symbology import Kind

PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-carriers.md"


def test_the_examples_run():
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
    assert result.failed == 0, "".join(told)
    assert result.attempted >= 12


def test_every_symbology_has_its_row():
    table = PAGE.read_text().partition("| `--as` |")[2].partition("\n\n")[0]
    assert {kind.value for kind in Kind} <= set(re.findall(r"`([\w-]+)`", table))


def test_the_examples_in_docstrings_run():
    attempted = 0
    for module in pkgutil.walk_packages(carriers.__path__, carriers.__name__ + "."):
        result = doctest.testmod(importlib.import_module(module.name))
        assert result.failed == 0, module.name
        attempted += result.attempted
    assert attempted >= 2
