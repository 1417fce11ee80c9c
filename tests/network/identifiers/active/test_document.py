"""The pages on active carriers: the example runs, commands and settings exist, numbers are those of the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from active_nodes import blocking

from hulian.cli import app
from hulian.network.identifiers.active import device, errors, messages, sessions
from hulian.network.identifiers.active.device import bodies, frame
from hulian.network.identifiers.nodes.configuration import ActiveConfiguration

DOCS = Path(__file__).parents[4] / "docs"
PAGE = DOCS / "topics" / "identifiers-active.md"
REFERENCE = DOCS / "reference" / "active-carrier.md"


@pytest.mark.anyio
async def test_the_example_runs(works, tmp_path):
    works.provision("0001", passphrase=b"p")
    (tmp_path / "made").rename(tmp_path / "carriers")
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [wanted] = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    folder = str(Path(device.__file__).parents[1])
    head = f"import sys\nsys.path.insert(0, {folder!r})\npassphrase, port = b'p', {works.settings.port}\n"
    line = [sys.executable, "-I", "-S", "-c", head + program]
    done = await blocking(lambda: subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False))
    assert done.stdout == wanted, done.stderr


def test_every_command_is_one_that_can_be_typed():
    lines = [line for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.splitlines()]
    assert len(lines) == 7
    for line in lines:
        _, bound, _ = app.parse_args(shlex.split(line)[2:], exit_on_error=False, print_error=False)
        assert bound.arguments or "list" in line


def test_every_setting_it_shows_exists():
    [table] = re.findall(r"```toml\n\[identifiers.active\]\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert set(re.findall(r"^(\w+) =", table, re.MULTILINE)) <= set(ActiveConfiguration.__struct_fields__)


def test_the_reference_has_the_numbers_of_the_code():
    text = REFERENCE.read_text()
    codes = {int(code) for code in re.findall(r"^\| (\d+) \| [^|]*\| [^|]*\| [^|]*\|$", text, re.MULTILINE)}
    assert codes == {
        frame.HELLO,
        frame.ENROL,
        frame.REPORT,
        frame.CONTENTS,
        frame.REKEY,
        frame.SESSION,
        frame.SESSION_REPORT,
        frame.RESOLVE,
    }
    assert f"({sessions.SECONDS:,} and {sessions.REPORTS:,})" in text
    assert f"more than {sessions.MOST:,} at the node" in text
    bounds = [
        int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text.partition("| bound |")[2].partition("##")[0])
    ]
    assert bounds == [
        messages.MAX_SERIAL,
        messages.MAX_NAME,
        messages.MAX_CERTIFICATE,
        messages.MAX_KEY,
        messages.MAX_SIGNATURE,
        messages.MAX_ITEMS,
        messages.MAX_REPORT,
        messages.MAX_CONTENTS,
        frame.MOST,
    ]
    assert (bodies.MOST_ITEMS, bodies.MOST_REPORT) == (messages.MAX_ITEMS, messages.MAX_REPORT)
    told = dict(re.findall(r"^\| (\d+) \| (HL-ID-\d+)", text, re.MULTILINE))
    kinds = {one.code: one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.ActiveError)}
    assert {kinds[name].response_code.value: name for name in told.values()} == {int(code): name for code, name in told.items()}
