"""What a command changes by itself is found in the audit trail, with who ran it."""

import getpass
import re
from pathlib import Path

import pytest

from hulian.assembly.preparation import open_registry, open_trust
from hulian.cli.local import read_configuration

OWN = "id,kind,name.en,unit,quantity\nplant:outlet-pressure,property,Outlet pressure,bar,hulian:pressure\n"
LINE2 = re.search(
    r"```xml\n(.*?)```", (Path(__file__).parents[2] / "docs" / "topics" / "model-points.md").read_text(), re.DOTALL
)[1]
POINT = "99.118.8/pump-17#outlet.pressure"


@pytest.fixture
def trail(tmp_path):
    """What was added to the trail since it was asked for last: action, resource and what was done."""
    seen = 0

    def added() -> list[tuple[str, str, str]]:
        nonlocal seen
        configuration = read_configuration(tmp_path / "hulian.toml")
        registry = open_registry(configuration)
        try:
            audit = open_trust(configuration, registry).audit
            new = [one for one in reversed(audit.list()) if one.sequence > seen]
        finally:
            registry.close()
        seen = new[-1].sequence if new else seen
        assert {(one.principal, one.details["user"]) for one in new} <= {("command line", getpass.getuser())}
        return [(str(one.action), one.resource, one.details["did"]) for one in new]

    return added


def test_dictionaries(hulian, trail, tmp_path):
    (tmp_path / "plant.csv").write_text(OWN)
    hulian("dictionary", "import", "plant.csv")
    assert trail() == [("model.write", "dictionary:plant", "dictionary import")]
    hulian("dictionary", "search", "outlet")
    hulian("dictionary", "suggest", "PT_101.PV")
    assert trail() == [], "who only looks leaves nothing"
    hulian("dictionary", "confirm", "QX_7", "hulian:temperature")
    hulian("dictionary", "confirm", "QX_7", "")
    assert trail() == [("model.write", "tag:QX_7", "confirmed"), ("model.write", "tag:QX_7", "taken back")]
    hulian("dictionary", "remove", "plant")
    hulian("dictionary", "remove", "plant", status=1)
    assert trail() == [("model.write", "dictionary:plant", "dictionary remove")]


def test_the_model_and_its_points(hulian, trail, tmp_path):
    (tmp_path / "line2.aml").write_text(LINE2)
    hulian("model", "import", "line2.aml", "--dry-run")
    assert trail() == []
    hulian("model", "import", "line2.aml")
    assert trail() == [("model.write", "line2", "apply")]
    hulian("model", "points", "line2", "--dry-run")
    hulian("model", "points", "line2")
    assert trail() == [
        ("model.write", "line2", "points of a document"),
        ("connectors.write", "connector:plc-2", "added"),
    ]
    hulian("dictionary", "confirm", POINT, "hulian:pressure")
    assert trail() == [("model.write", f"point:{POINT}", "confirmed")]
    hulian("dictionary", "confirm", POINT, "")
    assert trail() == [("model.write", f"point:{POINT}", "taken back")]
    (tmp_path / "broken.aml").write_text(LINE2.replace("</CAEXFile>", ""))
    hulian("model", "import", "broken.aml", status=1)
    assert trail() == []
    hulian("model", "remove", "line2")
    assert trail() == [("model.write", "line2", "remove")]


def test_a_binding(hulian, trail, tmp_path):
    (tmp_path / "line2.aml").write_text(LINE2)
    hulian("model", "import", "line2.aml", "--points")
    trail()
    hulian("model", "bind", "line2/p17", POINT)
    hulian("model", "bind", "line2/p17", "")
    assert trail() == [("model.write", "node:line2/p17", "noted"), ("model.write", "node:line2/p17", "taken back")]
