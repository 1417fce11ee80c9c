"""The Scan page in a browser that has a barcode detector of its own.

Chromium on Linux has the class BarcodeDetector behind a flag only, and reads no symbology with it; the page has to see that, and
read by its own reader. Where a browser does read them all, the reader is not loaded.
"""

from __future__ import annotations

import pytest
from filmed import camera_flags, film
from free_ports import free_port
from playwright.sync_api import expect
from running import RunningPlatform

from hulian.network.identifiers.carriers.symbols.symbology import Kind

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

FILMED = "99.118.8/filmed-9"
WANTED = {"qr_code", "data_matrix", "code_128", "ean_13", "ean_8", "upc_a"}
"""What the page asks of a browser's own detector."""


@pytest.fixture(scope="module")
def flags(tmp_path_factory) -> list[str]:
    seen = film(tmp_path_factory.mktemp("film"), FILMED, Kind.QR)
    return [*camera_flags(seen), "--enable-blink-features=BarcodeDetector"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with RunningPlatform(tmp_path_factory.mktemp("platform"), free_port, identifiers=True) as running:
        yield running


@pytest.fixture(scope="module")
def administrator(visiting, platform):
    """One login for all tests of this module."""
    visit = visiting()
    visit.login(platform.user, platform.password)
    yield visit
    visit.context.close()


def test_the_browsers_own_detector_is_used_where_it_reads_what_labels_hold_and_only_there(administrator):
    page = administrator.page
    loaded: list[str] = []
    page.on("response", lambda answer: loaded.append(answer.url.rsplit("/", 1)[1]))
    page.goto("/identifiers/scan")
    formats = page.evaluate("'BarcodeDetector' in window ? BarcodeDetector.getSupportedFormats() : null")
    if formats is None:
        pytest.skip("this browser has no BarcodeDetector, whatever flag it is given")
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".record .name")).to_have_text(FILMED)
    reads_all = set(formats) >= WANTED
    assert any(name.startswith("decoder.") for name in loaded) is not reads_all, formats
    assert administrator.errors == []
