"""The page on prefixes: its examples run against a node of its own, and its table is that of the program."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import office_node
import pytest
from applicants import applicant_key, pem

from hulian.cli.provisioning import SAMPLE
from hulian.network.identifiers.provisioning import Action, Registration, Role, State, allowed
from hulian.network.identifiers.provisioning.lifecycle import REASONED, follow

PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-provisioning.md"


@pytest.mark.timeout(180)
def test_the_examples_run(tmp_path):
    with subprocess.Popen([sys.executable, office_node.__file__, str(tmp_path)], stdout=subprocess.PIPE) as process:
        try:
            port = int(process.stdout.readline())
            blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
            text = "\n".join(blocks).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
            shown = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
            told: list[str] = []
            result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
            assert result.failed == 0, "".join(told)
            assert result.attempted >= 50
        finally:
            process.kill()


def test_the_table_of_actions_is_that_of_the_program():
    rows = re.findall(r"^\| `(\w+)`([^|]*)\| (applicant|reviewer) \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert [Action(row[0]) for row in rows] == list(Action)
    for name, remark, role, before, after in rows:
        action, roles = Action(name), {Role(role)}
        states = {State(state) for state in before.split(", ")}
        assert states == {state for state in State if action in allowed(state, roles)}, name
        assert {follow(action, state, roles) for state in states} == {State(after)}, name
        assert ("reason" in remark) == (action in REASONED), name


def test_every_field_is_named_and_the_sample_is_one_but_for_its_key():
    text = PAGE.read_text()
    for field in Registration.__struct_fields__:
        assert f"`{field}" in text, field
    Registration.parse(json.dumps(json.loads(SAMPLE) | {"public_key": pem(applicant_key())}))
