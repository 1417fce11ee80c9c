"""Dark modules as rectangles: neighbours in a row are one, so that no seam shows between them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import numpy as np

from hulian.network.identifiers.carriers.labels.layout import Mark

__all__ = ["rectangles"]


def rectangles(mark: Mark) -> Iterator[tuple[int, float, int, float]]:
    """(x, y, width, height) of what is dark, in modules from the mark's top left."""
    modules = mark.symbol.modules
    # Between a light column on either side, each dark run is an edge up and an edge down, row by row.
    framed = np.zeros((modules.shape[0], modules.shape[1] + 2), np.int8)
    framed[:, 1:-1] = modules
    rows, edges = np.nonzero(np.diff(framed, axis=1))
    heights = [height / mark.module for height in mark.heights()]
    tops = [0.0, *accumulate(heights)]
    for row, begin, end in zip(rows[::2].tolist(), edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield begin, tops[row], end - begin, heights[row]
