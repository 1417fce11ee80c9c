"""The page on HTTP: its examples run against a real node, and it names every setting."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import bulk_node
import msgspec
import pytest

from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration

PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-rest.md"


@pytest.mark.timeout(180)
def test_the_examples_run(tmp_path):
    with subprocess.Popen([sys.executable, bulk_node.__file__, str(tmp_path)], stdout=subprocess.PIPE) as process:
        try:
            port = int(process.stdout.readline())
            blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
            text = "\n".join(blocks).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
            shown = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
            told: list[str] = []
            result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
            assert result.failed == 0, "".join(told)
            assert result.attempted >= 30
        finally:
            process.kill()


def test_every_setting_is_named():
    text = PAGE.read_text()
    for field in msgspec.structs.fields(IdentifiersConfiguration):
        if field.name.startswith("rest_"):
            assert field.name in text
