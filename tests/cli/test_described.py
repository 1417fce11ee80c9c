"""``hulian model points``, ``model import --points`` and ``demo describe``, with the platform stopped."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "topics" / "model-points.md").read_text()
PRESSURE = "99.118.8/reactor#pressure"
NODE = "tennessee-eastman"


def test_the_example_of_the_page_runs(hulian, tmp_path):
    (tmp_path / "line2.aml").write_text(re.search(r"```xml\n(.*?)```", PAGE, re.DOTALL)[1])
    import_, dry_run, points, find = [
        shlex.split(line)[1:] for line in re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
    ]
    hulian(*import_)
    assert hulian(*dry_run) == re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1]
    assert "1 points added" in hulian(*points)
    (node,) = json.loads(hulian(*find))["nodes"]
    assert (node["point"], node["factor"]) == ("99.118.8/pump-17#outlet.pressure", 100.0)
    dumped = hulian("catalogue", "dump")
    for line in ('tag = "PI-17"', 'path = "Works/Line 2"', 'unit = "bar"', "high = 16.0", '"zh" = "出口压力"'):
        assert line.replace('"zh"', "zh") in dumped


def test_a_plant_and_its_points_in_one_command(hulian, tmp_path):
    written = hulian("demo", "describe", "described").split()
    assert [name.rpartition("/")[2] for name in written] == ["tennessee-eastman.aml", "gas-chromatograph.iml"]
    done = json.loads(hulian("model", "import", *written, "--points", "--json"))
    assert [one["points"]["points"]["added"] for one in done] == [93, 26]
    dumped = hulian("catalogue", "dump")
    assert PRESSURE in dumped
    assert "装置状态" in dumped
    found = json.loads(hulian("model", "find", "hulian:pressure", "--in", "Process", "--unit", "bar", "--json"))
    assert {node["point"] for node in found["nodes"]} == {
        "99.118.8/reactor#pressure", "99.118.8/separator#pressure", "99.118.8/stripper#pressure",
    }  # fmt: skip
    again = hulian("model", "points", NODE)
    assert "0 points added, 0 changed, 93 as described" in again


def test_a_change_of_the_document_is_shown_before_it_is_taken(hulian, tmp_path):
    hulian("demo", "describe", "described")
    hulian("model", "import", "described/tennessee-eastman.aml", "--points")
    file = tmp_path / "described" / "tennessee-eastman.aml"
    file.write_text(file.read_text().replace("A feed (stream 1)", "Feed of A"))
    hulian("model", "import", str(file))
    told = hulian("model", "points", NODE, "--dry-run")
    assert "texts.en: 'A feed (stream 1)' → 'Feed of A'" in told
    changes = json.loads(hulian("model", "points", NODE, "--dry-run", "--json"))
    assert (changes["added"], changes["changed"], changes["kept"]) == (0, 1, 0)
    assert "1 changed" in hulian("model", "points", NODE)


def test_what_is_chosen_counts_before_the_description(hulian):
    hulian("demo", "describe", "described")
    hulian("model", "import", "described/tennessee-eastman.aml")
    hulian(
        "model", "points", NODE, "--only", "99.118.8/stripper#level", "--use", "stripper=column",
        "--url", "stripper=modbus://10.0.0.9:502/3", "--set", "stripper.interval=2.5",
    )  # fmt: skip
    dumped = hulian("catalogue", "dump")
    assert 'name = "column"' in dumped
    assert 'url = "modbus://10.0.0.9:502/3"' in dumped
    assert "interval = 2.5" in dumped
    assert dumped.count("[[point]]") == 1
    assert dumped.count("[[connector]]") == 1


def test_a_connector_is_left_out_with_its_points(hulian):
    hulian("demo", "describe", "described")
    hulian("model", "import", "described/tennessee-eastman.aml")
    seen = json.loads(hulian("model", "points", NODE, "--leave", "stripper", "--dry-run", "--json"))
    assert {one["name"]: one["change"] for one in seen["connectors"]}["stripper"] == "left"
    assert {point["missing"][0] for point in seen["points"] if point["change"] == "left"} == {"its connector is left out"}
    hulian("model", "points", NODE, "--leave", "stripper")
    dumped = hulian("catalogue", "dump")
    assert 'name = "stripper"' not in dumped
    assert "99.118.8/stripper#level" not in dumped
    assert dumped.count("[[connector]]") == 2
    hulian("model", "points", NODE)
    assert 'name = "stripper"' in hulian("catalogue", "dump")


def test_mistakes_are_told_with_their_code(hulian):
    assert "HL-SEM-0010" in hulian("model", "points", "nowhere", status=1)
    hulian("demo", "describe", "described")
    hulian("model", "import", "described/tennessee-eastman.aml")
    for choice in (("--leave", "mixer"), ("--url", "mixer=modbus://10.0.0.9"), ("--only", "mixer"), ("--overwrite", "mixer")):
        told = hulian("model", "points", NODE, *choice, status=1)
        assert "HL-CATALOGUE-0019" in told
        assert "mixer" in told
    assert "stripper" in hulian("model", "points", NODE, "--leave", "mixer", status=1)
    hulian("model", "points", NODE, "--overwrite", "stripper", "--overwrite", "*", "--dry-run")
    assert "CONNECTOR=VALUE" in hulian("model", "points", "nowhere", "--url", "odd", status=1)
    assert "CONNECTOR.KEY=VALUE" in hulian("model", "points", "nowhere", "--set", "odd=1", status=1)
    assert "--dry-run" in hulian("model", "import", "x.aml", "--points", "--dry-run", status=1)
