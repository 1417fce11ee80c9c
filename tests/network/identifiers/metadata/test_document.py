"""The page on templates, grants, questions and traces: its examples run against a real node, its commands exist."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import metadata_node
import msgspec
import pytest

from hulian.cli import app
from hulian.network.identifiers.metadata.template import Attribute, AttributeType
from hulian.network.identifiers.store.kinds import GOVERNED

PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-metadata.md"


@pytest.mark.timeout(180)
def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen([sys.executable, metadata_node.__file__, str(tmp_path)], stdout=subprocess.PIPE) as process:
        try:
            port = next(int(line) for line in process.stdout if line.strip().isdigit())
            blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
            text = "\n".join(blocks).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
            shown = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
            told: list[str] = []
            result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
            assert result.failed == 0, "".join(told)
            assert result.attempted >= 40
            assert _queries_run(port, capsys) == 2
        finally:
            process.kill()


def _queries_run(port: int, capsys) -> int:
    """Runs the queries of the page, and compares what they print; how many there are."""
    run = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for command, expected in re.findall(r"^\$ (hulian identifiers query .*)\n((?:(?!\$).*\n)*)", block, re.MULTILINE):
            app(shlex.split(command.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))[1:], result_action="return_value")
            shown = capsys.readouterr().out
            assert [line.rstrip() for line in shown.splitlines()] == [line.rstrip() for line in expected.splitlines()], command
            run += 1
    return run


def test_every_command_is_one_that_can_be_typed():
    lines = [line for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.splitlines()]
    lines = [line for line in lines if line.startswith("$ ")]
    assert len(lines) == 7
    for line in lines:
        _, bound, _ = app.parse_args(shlex.split(line)[2:], exit_on_error=False, print_error=False)
        assert bound.arguments


def test_it_names_every_field_type_and_kind():
    text = PAGE.read_text()
    for field in msgspec.structs.fields(Attribute):
        assert f"`{field.name}`" in text, field.name
    for one in (*AttributeType, *(kind for kind in GOVERNED if "REFERRED_BY" not in kind)):
        assert f"`{one}`" in text, one
