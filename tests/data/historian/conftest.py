"""One embedded store for the tests of a module; each test takes series of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from hulian.data.historian.embedded import EmbeddedHistorian

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def historian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHistorian]:
    store = EmbeddedHistorian(tmp_path_factory.mktemp("historian"))
    yield store
    store.close()
