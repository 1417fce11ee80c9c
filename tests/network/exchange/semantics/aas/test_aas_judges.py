"""Outside judges of what we write: aas-test-engines, and basyx-python-sdk in an environment of its own."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aas_documents import everything
from semantic_content import Collected

from hulian.network.exchange.semantics.aas import FORMAT
from hulian.network.exchange.semantics.aas.format import Form, written
from hulian.network.exchange.semantics.contract import Attachment, Batch
from hulian.network.exchange.semantics.documents import file_source, memory_source

PEER = Path(__file__).resolve().parents[4] / "peers" / "basyx"
VALID = ("aas/IDTA-02011-1-1-1_HSEBoM.aasx", "aas/IDTA-02017-1-0_AID.aasx", "aas/IDTA-02023-1-0-1_CarbonFootprint.aasx")
FILES = [
    Attachment("aasx/files/manual.pdf", "application/pdf", b"%PDF-\x00\xff"),
    Attachment("aasx/files/pump.png", "image/png", b"\x89PNG"),
]


def whole() -> Collected:
    """An element of every class, with the files that it names."""
    source = memory_source("a.json", json.dumps(everything()).encode())
    content = Collected(*FORMAT.read(source, "doc", []))
    return Collected(content.document, [Batch(nodes=list(content.nodes())), Batch(attachments=FILES)])


def judged(content: bytes, form: Form) -> Any:
    from aas_test_engines import file

    if form == "aasx":
        return file.check_aasx_file(io.BytesIO(content))  # type: ignore[arg-type]
    text = io.StringIO(content.decode())
    return file.check_xml_file(text) if form == "xml" else file.check_json_file(text)


@pytest.mark.parametrize("form", ["aasx", "xml", "json"])
def test_the_test_engines_accept_every_class_of_element(form: Form) -> None:
    result = judged(written(whole(), form, "3.0"), form)
    result.dump()
    assert result.ok()


@pytest.mark.parametrize("form", ["aasx", "xml", "json"])
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.samples(name)) for name in VALID])
def test_the_test_engines_say_of_ours_what_they_say_of_the_sample(samples: Path, name: str, form: Form) -> None:
    content = Collected(*FORMAT.read(file_source(samples / name), "doc", []))
    of_sample = judged((samples / name).read_bytes(), "aasx")
    result = judged(written(content, form), form)
    result.dump()
    assert result.ok() or not of_sample.ok()


@pytest.fixture(scope="module")
def basyx() -> Any:
    python = PEER / ".venv" / "bin" / "python"
    if not (PEER / ".venv" / ".installed").exists():
        pytest.skip("basyx-python-sdk is not installed: run tests/peers/install.sh")

    def read(*paths: Path) -> list[dict[str, Any]]:
        run = subprocess.run([python, PEER / "read.py", *paths], capture_output=True, text=True, timeout=300, check=False)
        assert run.returncode == 0, run.stderr
        return [json.loads(line) for line in run.stdout.splitlines()]

    return read


def test_basyx_reads_every_class_of_element(basyx: Any, tmp_path: Path) -> None:
    content = whole()
    paths = [tmp_path / f"a.{form}" for form in ("aasx", "xml", "json")]
    for path in paths:
        path.write_bytes(written(content, path.suffix[1:], "3.1"))  # type: ignore[arg-type]
    wanted = {
        "shells": ["https://example.org/aas/pump"],
        "submodels": ["https://example.org/sm/everything"],
        "concepts": ["0173-1#02-AAY812#001"],
    }
    elements = sum(
        1 for node in content.nodes() if "#" in node.id and "assetInformation" not in node.id and "doc/" not in node.id
    )
    for found in basyx(*paths):
        assert {key: found.get(key, found) for key in wanted} == wanted
        assert found["elements"] == elements
    (packed,) = basyx(paths[0])
    assert {name.rpartition("/")[2]: digest for name, digest in packed["files"].items()} == {
        one.path.rpartition("/")[2]: hashlib.sha256(one.content).hexdigest() for one in FILES
    }


@pytest.mark.samples("aas/IDTA-02011-1-1-1_HSEBoM_v3.1.aasx")
def test_basyx_reads_samples_as_we_write_them(basyx: Any, samples: Path, tmp_path: Path) -> None:
    names = ("IDTA-02011-1-1-1_HSEBoM_v3.1.aasx", "IDTA-02017-1-0_AID.aasx", "IDTA-02011-1-1-1_HSEBoM.aasx")
    paths = []
    for name in names:
        content = Collected(*FORMAT.read(file_source(samples / "aas" / name), "doc", []))
        paths.append(tmp_path / name)
        paths[-1].write_bytes(written(content, "aasx", "3.1"))
    for found in basyx(*paths):
        assert "error" not in found
        assert found["submodels"]
        assert found["elements"] > 5
