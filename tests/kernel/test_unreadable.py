"""What msgspec raises for a document from outside: not its own errors alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hulian.kernel.unreadable import UNREADABLE


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"{", msgspec.DecodeError),
        (b"[]", msgspec.ValidationError),
        (b'{"a":"\x80"}', UnicodeDecodeError),
        (b'{"a":' + b"[" * 100_000, RecursionError),
    ],
)
def test_every_way_of_being_unreadable_is_named(document, error):
    with pytest.raises(error):
        msgspec.json.decode(document, type=dict[str, Any])
    with pytest.raises(UNREADABLE):
        msgspec.json.decode(document, type=dict[str, Any])
