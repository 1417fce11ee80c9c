"""What the documents say, runs: the tutorial step by step, the generated references, the README's commands."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from plant import until
from running import RunningPlatform, opcua_server

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"<!-- (?P<what>start|run|stop)(?:: (?P<name>[^>]*?))? -->\n(?:```(?P<language>\w+)\n(?P<text>.*?)```)?", re.DOTALL
)
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))


def test_generated_references_are_fresh(tmp_path):
    subprocess.run([sys.executable, "-m", "hulian", "reference", str(tmp_path)], check=True, capture_output=True)
    for page in tmp_path.iterdir():
        assert (ROOT / "docs" / "reference" / page.name).read_text() == page.read_text(), f"{page.name}: run 'make docs'"


def test_every_event_code_is_declared_once_and_used():
    """Codes stand in the rooms' ``events.py``, from which the reference is made, and nothing is declared that nobody tells."""
    sources = {path: path.read_text() for path in (ROOT / "src" / "hulian").rglob("*.py")}
    declared = [
        (kind, name, code)
        for path, text in sources.items()
        if path.name == "events.py"
        for kind in re.findall(r"^class (\w+)\(EventCode\)", text, re.MULTILINE)
        for name, code in re.findall(r"^    ([A-Z_]+) = \(?\s*\"(HL-[A-Z]+-\d{4})\"", text, re.MULTILINE)
    ]
    codes = [code for _, _, code in declared]
    assert len(codes) == len(set(codes)) >= 20
    elsewhere = "\n".join(text for path, text in sources.items() if path.name != "events.py")
    assert [code for code in codes if f'"{code}"' in elsewhere] == []
    assert [f"{kind}.{name}" for kind, name, _ in declared if f"{kind}.{name}" not in elsewhere] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_commands_in_documents_exist():
    """Every ``hulian …`` in a shell block names a command that there is."""
    from hulian.cli import app

    for document in [ROOT / "README.md", ROOT / "README.zh-CN.md", *(ROOT / "docs").rglob("*.md")]:
        for block in re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["hulian"] and len(words) > 1 and not words[1].startswith("-"):
                    _, commands, _ = app.parse_commands(words[1:])
                    assert len(commands) > 1 or commands[0] is not app, f"{document.name}: {line}"


def state_of(platform, connector):
    with platform.sdk() as sdk:
        return next(item.status["state"] for item in sdk.connectors() if item.name == connector)


def stored(platform, source):
    with platform.sdk() as sdk:
        return next((row.stored for row in sdk.ledger().rows if row.source == source), 0)


def test_the_tutorial_runs(tmp_path, ports):
    """Each step as it is written, but on ports that are free here."""
    machine_port = ports()
    platform = RunningPlatform(tmp_path, ports)
    environment = {
        **os.environ,
        "HULIAN_CONFIG": str(platform.config),
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    outputs: list[str] = []
    with contextlib.ExitStack() as stack:
        machines = stack.enter_context(contextlib.ExitStack())
        steps = list(BLOCK.finditer((ROOT / "docs/tutorials/first-trend.md").read_text()))
        assert len(steps) >= 9
        for step in steps:
            name = step["name"] or ""
            match step["what"], name:
                case "start", "machine":
                    machines.enter_context(opcua_server(machine_port))
                case "start", "platform":
                    stack.enter_context(platform)
                case "stop", "machine":
                    machines.close()
                    until(lambda: state_of(platform, "press") != "connected", 30, "the stopped machine was not noticed")
                case "run", _:
                    text = step["text"].replace("127.0.0.1:4850", f"127.0.0.1:{machine_port}")
                    text = text.replace("http://127.0.0.1:8080", platform.url)
                    command = ["bash", "-euc", text] if step["language"] == "sh" else [sys.executable, "-c", text]
                    if step["language"] == "python":
                        until(lambda: stored(platform, "press"), 30, "nothing was stored")
                    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
                    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
                    outputs.append(done.stdout)
                    if name.startswith("HULIAN_TOKEN"):
                        environment["HULIAN_TOKEN"] = done.stdout.splitlines()[0]
    browsed, connected, listed, _, asked, cut, counted = outputs
    assert "bar" in browsed
    assert "press: connected, 4 points" in connected
    assert "99.118.8/press-1#pressure" in listed
    assert "timestamp[ns" in asked
    assert "press" in cut
    assert re.search(r"press\s+\S+\s+(\d+)\s+\d+\s+0\s+0\s", counted), counted


def test_nothing_in_the_project_names_a_machine_or_a_registry():
    """Paths of one machine and hosts of package registries have no place in a repository."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    wrong = re.compile(
        r"(/(?:work)/(main|shared)|/(?:root)/|registry\.npmjs|pypi\.org/|pythonhosted|crates\.io/|proxy\.golang)"
    )
    for name in filter(None, tracked):
        path = ROOT / name
        if path.suffix in (".png", ".parquet", ".bin", ".gz") or not path.is_file() or path == Path(__file__).resolve():
            continue
        found = wrong.search(path.read_text(errors="replace"))
        assert found is None, f"{name}: {found[0]}"


@pytest.mark.timeout(400)
def test_the_page_on_processing_runs(tmp_path, ports):
    """Each step as it is written, over the machine of the tutorial."""
    platform = RunningPlatform(tmp_path, ports)
    environment = {
        **os.environ,
        "HULIAN_CONFIG": str(platform.config),
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    outputs: list[str] = []
    with opcua_server(ports()) as url, platform:
        platform.cli("connect", url, "--set", "security=none", "--name", "press", "--thing", "99.118.8/press-1", "--yes")
        until(lambda: stored(platform, "press") > 20, 60, "nothing was stored")
        for step in BLOCK.finditer((ROOT / "docs/howto/process-at-the-edge.md").read_text()):
            if step["name"] == "computed":
                until(lambda: stored(platform, "local") > 2, 60, "nothing was computed")
            done = subprocess.run(
                ["bash", "-euc", step["text"]], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, f"{step['text']}\n{done.stdout}\n{done.stderr}"
            outputs.append(done.stdout)
        tried, applied, computed, listed = outputs
        assert re.search(r"[1-9]\d* samples were recorded; [1-9]\d* would be stored", tried), tried
        assert "1 changed" in applied
        assert "connectors added: local" in computed
        assert re.search(r"99.118.8/press-1#pressure-mpa\s+\d", listed), listed

        def filtered():
            with platform.sdk() as sdk:
                return next(
                    item.status.get("counters", {}).get("filtered", 0) for item in sdk.connectors() if item.name == "press"
                )

        until(filtered, 60, "no filter is at work")
