"""A protocol whose package is broken is named, and harms no other."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from hulian.platform.edge import protocols
from hulian.platform.edge.errors import UnknownProtocolError


@pytest.fixture
def broken(monkeypatch):
    """An installed package whose entry point leads nowhere, before all others."""
    found = [EntryPoint("aaa", "no_such_package:PROTOCOL", protocols.GROUP), *protocols.entry_points(group=protocols.GROUP)]
    monkeypatch.setattr(protocols, "entry_points", lambda group: found)
    for cached in (protocols.installed, protocols.protocol_named):
        cached.cache_clear()
    yield
    for cached in (protocols.installed, protocols.protocol_named):
        cached.cache_clear()


def test_a_protocol_that_cannot_be_loaded_is_named_and_harms_no_other(broken):
    assert protocols.protocol_of_url("modbus://device:502").name == "modbus"
    with pytest.raises(UnknownProtocolError, match="'aaa' is installed and cannot be loaded") as refused:
        protocols.protocol_named("aaa")
    assert "no_such_package" in refused.value.hint
    with pytest.raises(UnknownProtocolError, match="no protocol speaks 'ftp:'") as refused:
        protocols.protocol_of_url("ftp://x")
    assert "modbus://" in refused.value.hint
