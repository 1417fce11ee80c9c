"""The page on the junction: its examples run, its commands exist, its settings are settings."""

from __future__ import annotations

import doctest
import re
import shlex
import tomllib
from pathlib import Path

import msgspec

from hulian.cli import app
from hulian.network.identifiers.junction.configuration import DnsConfiguration, JunctionConfiguration
from hulian.network.identifiers.junction.found import System

PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-junction.md"


def test_the_examples_run():
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(shown, out=told.append)
    assert (result.failed, result.attempted > 10) == (0, True), "".join(told)


def test_every_command_is_one_that_can_be_typed():
    lines = [line for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.splitlines()]
    assert len(lines) >= 4
    for line in lines:
        _, bound, _ = app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
        assert bound.arguments


def test_every_system_is_in_the_table_and_every_setting_is_one():
    text = PAGE.read_text()
    assert set(re.findall(r"\| `([a-z0-9-]+)` \| [^|]*\| [^|]*\|\n", text)) == {system.value for system in System}
    [table] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    msgspec.convert(tomllib.loads(table)["identifiers"]["junction"], JunctionConfiguration)
    settings = set(JunctionConfiguration.__struct_fields__) | set(DnsConfiguration.__struct_fields__)
    named = set(re.findall(r"`([a-z0-9]+_[a-z0-9_]+)`", text)) - {"root_info", "stranger_bytes"}
    assert named <= settings
