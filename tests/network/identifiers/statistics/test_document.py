"""The page on operation: its examples run against a real node, its commands exist, and it names every setting and event."""

from __future__ import annotations

import contextlib
import doctest
import re
import shlex
from pathlib import Path

import anyio
import anyio.from_thread
import pytest
from counting_node import service

from hulian.cli import app
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration
from hulian.network.identifiers.statistics.data import Data
from hulian.network.identifiers.statistics.events import CAUSES

PAGE = Path(__file__).parents[4] / "docs" / "topics" / "identifiers-operation.md"


@pytest.mark.timeout(180)
def test_the_examples_run(tmp_path):
    with anyio.from_thread.start_blocking_portal() as portal:
        node = portal.call(service, tmp_path)
        with portal.wrap_async_context_manager(running(node)):
            blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
            text = "\n".join(blocks).replace("127.0.0.1:8000", f"127.0.0.1:{node.rest_port}")
            shown = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
            told: list[str] = []
            result = doctest.DocTestRunner(verbose=False).run(shown, out=told.append)
    assert (result.failed, result.attempted >= 25) == (0, True), "".join(told)


@contextlib.asynccontextmanager
async def running(node):
    async with anyio.create_task_group() as group:
        await group.start(node.run)
        while not node.rest_port:
            await anyio.sleep(0.02)
        yield
        group.cancel_scope.cancel()


def test_every_command_is_one_that_can_be_typed():
    (block,) = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for line in block.splitlines():
        _, bound, _ = app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
        assert bound.arguments["to"] == "https://second.example:8000"


def test_every_setting_event_and_kind_of_data_is_named():
    text = PAGE.read_text()
    for name in IdentifiersConfiguration.__struct_fields__:
        if name.startswith(("statistics_", "report_", "probe", "takeover")):
            assert f"identifiers.{name}" in text
    named = set(re.findall(r"identifiers\.(\w+)", text)) - {"statistics", "wire"}
    assert named <= set(IdentifiersConfiguration.__struct_fields__) | {"statistics"}
    rows = dict(re.findall(r"^\| (HL-ID-\d+)(?:, HL-ID-\d+)? \| (\d) ", text, re.MULTILINE))
    for event, cause in CAUSES.items():
        assert event.value in text
        assert rows.get(event.value, str(cause.value)) == str(cause.value)
    for data in Data:
        assert f"| `{data.value}` |" in text
