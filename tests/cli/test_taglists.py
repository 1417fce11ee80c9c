"""The commands for many points at once, against a real platform: differences first, then all of it or nothing."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import pytest

from hulian.kernel.storage import StorageClass


@pytest.fixture
def hulian(stack, tmp_path):
    token = stack.token("read", "configure")

    def run(*arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "hulian", *map(str, arguments), "--platform", stack.url, "--token", token],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=90,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160"},
        )
        assert "Traceback" not in done.stderr + done.stdout
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout + done.stderr

    return run


def test_a_list_goes_out_is_changed_and_comes_in(stack, hulian, tmp_path):
    stack.connector("lathe", {"speed": StorageClass.DOUBLE, "state": StorageClass.INTEGER})
    hulian("points", "export", "lathe.xlsx", "--connector", "lathe")
    assert "0 added, 0 changed, 0 removed, 2 unchanged" in hulian("points", "import", "lathe.xlsx", "--dry-run")
    hulian("points", "export", "lathe.csv", "--connector", "lathe")
    with (tmp_path / "lathe.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= {"tag": "SI-1", "text.zh": "转速"}
    rows.append({**rows[0], "identifier": "99.118.8/lathe#torque", "address": "ns=2;s=torque"})
    with (tmp_path / "lathe.csv").open("w", encoding="gb18030", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    said = hulian("points", "import", "lathe.csv", "--dry-run")
    assert "LATHE-SPEED" in said
    assert "转速" in said
    assert "1 added, 1 changed" in said
    assert stack.catalogue.point("99.118.8/lathe#speed").point.tag == "LATHE-SPEED"
    assert "nobody is there to answer" in hulian("points", "import", "lathe.csv", status=1)
    found = json.loads(hulian("points", "import", "lathe.csv", "--dry-run", "--json"))
    assert (found["added"], found["changed"]) == (1, 1)
    assert "done: 1 added, 1 changed" in hulian("points", "import", "lathe.csv", "--yes")
    assert stack.catalogue.point("99.118.8/lathe#torque").point.texts == {"zh": "转速"}
    (tmp_path / "bad.csv").write_text("identifier,kind\n99.118.8/lathe#torque,often\n")
    said = hulian("points", "import", "bad.csv", "--yes", status=1)
    assert "HL-CATALOGUE-0012" in said
    assert "1 mistakes" in said


def test_points_are_still_found_by_their_words(stack, hulian):
    stack.connector("saw", {"speed": StorageClass.DOUBLE})
    assert "99.118.8/saw#speed" in hulian("points", "saw-speed")


def test_an_edit_a_template_and_a_copy(stack, hulian, tmp_path):
    stack.connector("mill", {"speed": StorageClass.DOUBLE})
    assert "changed" in hulian("points", "edit", "--connector", "mill", "--set", "tag={thing}-{number:02}", "--dry-run")
    hulian("points", "edit", "--connector", "mill", "--set", "tag={thing}-{number:02}", "--replace", "path:area=hall", "--yes")
    point = stack.catalogue.point("99.118.8/mill#speed").point
    assert (point.tag, point.path) == ("mill-01", "site/hall")
    hulian("template", "make", "99.118.8/mill", "--name", "mill")
    hulian("template", "export", "mill", "mill.json")
    document = json.loads((tmp_path / "mill.json").read_text())
    document["rows"][0][document["columns"].index("address")] = "ns=2;s={machine}"
    (tmp_path / "mill.json").write_text(json.dumps(document))
    assert "version 2" in hulian("template", "save", "mill.json")
    (tmp_path / "mills.csv").write_text("machine\n" + "".join(f"mill-{at}\n" for at in range(1, 101)))
    assert "100 added" in hulian("template", "apply", "mill", "mills.csv", "--yes")
    assert stack.catalogue.point("99.118.8/mill-100#speed").point.address == "ns=2;s=mill-100"
    assert "mill" in hulian("template", "list")
    hulian("template", "remove", "mill")
    stack.catalogue.remove_points([f"99.118.8/mill-{at}#speed" for at in range(1, 101)])
    copy = ("connector", "copy", "mill", "mill-b", "opc.tcp://plc-b:4840", "--replace", "mill=mill-b")
    assert "nothing was changed" in hulian(*copy, "--dry-run")
    assert "made" in hulian(*copy)
    assert stack.catalogue.point("99.118.8/mill-b#speed").point.connector == "mill-b"
