"""Documents a little or very wrong: pieces doubled, moved, cut, and bytes changed."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def mutated(sample: bytes, data: Any) -> bytes:
    """``sample`` after some changes that ``data`` (Hypothesis) chooses."""
    content = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, max(0, len(content) - 1)))
        end = min(len(content), start + data.draw(st.integers(0, 200)))
        what = data.draw(st.sampled_from(("cut", "double", "move", "change")))
        if what == "cut":
            del content[start:end]
        elif what == "double":
            content[start:start] = content[start:end]
        elif what == "move":
            piece = bytes(content[start:end])
            del content[start:end]
            place = data.draw(st.integers(0, len(content)))
            content[place:place] = piece
        else:
            content[start : start + 1] = data.draw(st.binary(max_size=4))
    return bytes(content)
