"""An expression over columns: the tree is walked once a batch, and each step is one operation of numpy.

A value that is not defined is NaN, and whatever is made of it is NaN too: a division by zero, the root of a negative number, a
result that is too large. Only `if` shields the branch that it does not take. Comparisons and logic give 1 and 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from hulian.platform.edge.processing.grammar import Node

__all__ = ["evaluate"]

Numbers = npt.NDArray[np.float64]


def evaluate(tree: Node, inputs: Sequence[Numbers], rows: int) -> Numbers:
    """``tree`` for each of ``rows`` rows; ``inputs`` are the points in the order of their numbers, each float64[rows]."""
    with np.errstate(all="ignore"):
        result = _value(tree, inputs)
    return np.broadcast_to(result, (rows,)).astype(np.float64)


def _value(tree: Node, inputs: Sequence[Numbers]) -> Any:
    kind, content = tree
    if kind == "number":
        return np.float64(cast(float, content))
    if kind == "point":
        given = inputs[cast(int, content)]
        return np.where(np.isfinite(given), given, np.nan)
    parts = [_value(part, inputs) for part in cast("tuple[Node, ...]", content)]
    result = _OPERATIONS[kind](*parts)
    return np.where(np.isfinite(result), result, np.nan)


def _compared(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def operation(one: Any, other: Any) -> Any:
        return np.where(np.isnan(one) | np.isnan(other), np.nan, compare(one, other).astype(np.float64))

    return operation


def _both(one: Any, other: Any) -> Any:
    return np.where(np.isnan(one) | np.isnan(other), np.nan, ((one != 0) & (other != 0)).astype(np.float64))


def _either(one: Any, other: Any) -> Any:
    return np.where(np.isnan(one) | np.isnan(other), np.nan, ((one != 0) | (other != 0)).astype(np.float64))


def _not(one: Any) -> Any:
    return np.where(np.isnan(one), np.nan, (one == 0).astype(np.float64))


def _if(condition: Any, then: Any, otherwise: Any) -> Any:
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, then, otherwise))


def _clamp(value: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(value, low), high)


_OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "**": np.power,
    "negative": np.negative,
    "<": _compared(np.less),
    "<=": _compared(np.less_equal),
    ">": _compared(np.greater),
    ">=": _compared(np.greater_equal),
    "==": _compared(np.equal),
    "!=": _compared(np.not_equal),
    "and": _both,
    "or": _either,
    "not": _not,
    "if": _if,
    "min": lambda *parts: reduce(np.minimum, parts),
    "max": lambda *parts: reduce(np.maximum, parts),
    "clamp": _clamp,
    "abs": np.abs,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "atan": np.arctan,
    "round": np.round,
    "floor": np.floor,
    "ceil": np.ceil,
}
