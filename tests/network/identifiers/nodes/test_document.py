"""The page on nodes: its examples run, its commands exist, its table names every role."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

from hulian.cli import app
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration, Role

PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-nodes.md"


def test_the_examples_run():
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
    assert (result.failed, result.attempted > 8) == (0, True), "".join(told)


def test_every_command_is_one_that_can_be_typed():
    lines = [line for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.splitlines()]
    assert len(lines) >= 9
    for line in lines:
        _, bound, _ = app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
        assert bound.arguments or "demo" in line or "rollover" in line


def test_every_role_and_every_setting_it_speaks_of_exists():
    text = PAGE.read_text()
    table = re.search(r"\| `identifiers.role`.*?\n\n", text, re.DOTALL)[0]
    assert set(re.findall(r"`([a-z-]+)`", table)) >= {role.value for role in Role}
    named = set(re.findall(r"identifiers\.(\w+)", text)) - {"store", "wire"}
    assert named <= set(IdentifiersConfiguration.__struct_fields__)
