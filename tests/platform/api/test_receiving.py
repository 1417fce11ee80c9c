"""Files of every kind of import on their way in: bounded before they are taken, and gone where the service was killed."""

from __future__ import annotations

import http.client

import pytest
from api_stack import Stack
from free_ports import free_port

from hulian.platform.api.receiving import PREFIX


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A platform that takes little, and whose predecessor was killed in the middle of a file."""
    directory = tmp_path_factory.mktemp("small")
    left = directory / "scratch" / f"{PREFIX}old"
    left.mkdir(parents=True)
    (left / "file").write_bytes(b"half")
    with Stack(directory, free_port(), model_limit=20_000, import_limit=20_000) as running:
        yield running


def test_what_a_killed_service_has_left_is_gone(small):
    assert small.scratch.exists()
    assert not list(small.scratch.glob(f"{PREFIX}*"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/model/imports?format=hulian", "application/octet-stream"),
        ("/model/uploads?file=a.aml", "application/octet-stream"),
        ("/dictionary/imports?file=own.csv", "application/octet-stream"),
        ("/imports", "text/csv"),
    ],
)
def test_a_file_that_is_too_large_is_not_taken(small, path, kind):
    with small.browser() as client:
        body = b"a,b,c\n" * 5_000

        def sent(content) -> str:
            return client.post(path, content=content, headers={"content-type": kind}).json()["code"]

        assert sent(body) == "HL-API-0008"
        assert sent(body[at : at + 1000] for at in range(0, len(body), 1000)) == "HL-API-0008", "without its length"
        endless = http.client.HTTPConnection(small.url.removeprefix("http://"), timeout=30)
        endless.putrequest("POST", f"/api/v1{path}")
        endless.putheader("x-hulian-csrf", client.headers["x-hulian-csrf"])
        endless.putheader("content-type", kind)
        endless.putheader("content-length", str(2**50))
        endless.putheader("cookie", f"hulian_session={client.cookies['hulian_session']}")
        endless.endheaders()
        assert endless.getresponse().status == 413, "before a byte of it came"
        endless.close()
    assert not list(small.scratch.glob(f"{PREFIX}*"))
