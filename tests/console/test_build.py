"""The console's own unit tests, its budget, and the build that happens once."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

CONSOLE = Path(__file__).resolve().parents[2] / "console"
pytestmark = pytest.mark.timeout(400)


def load():
    specification = importlib.util.spec_from_file_location("hulian_console_npm", CONSOLE / "npm.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, CONSOLE / "npm.py", *arguments], capture_output=True, text=True, cwd=CONSOLE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_unit_tests_pass():
    assert " passed" in run("test")


def test_console_is_built_once_from_the_same_sources_and_within_its_budget():
    run("build")
    assert "built already" in run("build")
    assert "of 60 KiB" in run("run", "size")


def test_fingerprint_sees_every_source_and_nothing_that_was_made(tmp_path, monkeypatch):
    npm = load()
    monkeypatch.setattr(npm, "HERE", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.ts").write_text("1")
    first = npm.fingerprint()
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.js").write_text("made")
    assert npm.fingerprint() == first
    (tmp_path / "src" / "a.ts").write_text("2")
    second = npm.fingerprint()
    assert second != first
    (tmp_path / "src" / "a.ts").rename(tmp_path / "src" / "b.ts")
    assert npm.fingerprint() not in (first, second)


def test_npm_that_fails_says_what_and_what_to_do(tmp_path):
    npm = load()
    (tmp_path / "package.json").write_text('{"name": "x", "scripts": {"broken": "exit 3"}}')
    with pytest.raises(npm.NpmError, match=r"npm run broken failed with status 3(?s:.*)hint: "):
        npm.run(["run", "broken"], folder=tmp_path, quiet=True)


def test_lock_file_names_no_registry():
    lock = (CONSOLE / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
