"""Expressions: what the grammar takes and refuses, and that a batch of values is what Python itself makes of each."""

from __future__ import annotations

import ast
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hulian.platform.edge.errors import ExpressionError
from hulian.platform.edge.processing.evaluation import evaluate
from hulian.platform.edge.processing.grammar import DEEPEST, LONGEST, MOST_NODES, parse

BOUND = {name: f"99.1/thing#{name}" for name in "abcd"}


def value_of(text, **points):
    expression = parse(text, BOUND)
    names = [name.partition("#")[2] for name in expression.points]
    inputs = [np.array([points[name]], np.float64) for name in names]
    return float(evaluate(expression.tree, inputs, 1)[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("-2 ** 2", -4),
        ("2 ** 3 ** 2", 512),
        ("2 ** -1", 0.5),
        ("7 % 4 - -7 % 4", 2),
        ("(1 + 2) * 3 / 2", 4.5),
        ("1 < 2 and not 2 < 1", 1),
        ("1 == 1 or 1 / 0", math.nan),
        ("if(1 > 2, 1 / 0, 5)", 5),
        ("if(1 / 0, 1, 2)", math.nan),
        ("min(3, 1, 2) + max(3, 1, 2)", 4),
        ("clamp(12, 0, 10)", 10),
        ("sqrt(-1)", math.nan),
        ("exp(1000)", math.nan),
        ("log(0)", math.nan),
        ("10 ** 400", math.nan),
        ("1 / 0", math.nan),
        ("0 / 0 == 0 / 0", math.nan),
        ("round(2.5) + floor(-0.5) + ceil(0.5)", 2),
        ("true + pi * false", 1),
        (".5e1 + 1.", 6),
        ("{99.1/thing#a} * 2 + a", 30),
    ],
)
def test_what_texts_are_worth(text, expected):
    assert value_of(text, a=10.0) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "'the end' where a value is expected, at character 1", ""),
        ("1 +", "'the end' where a value is expected, at character 4", ""),
        ("1 2", "'2' is not expected here, at character 3", ""),
        ("(1", "'the end' where ')' is expected", ""),
        ("1 < 2 < 3", "a second '<' after a comparison", "a < b and b < c"),
        ("squrt(4)", "no function 'squrt'", "'sqrt'"),
        ("e + 1", "no name 'e'", ""),
        ("if(1, 2)", "'if' takes 3 values, not 2", ""),
        ("__import__('os')", '"\'" is no part of the grammar', ""),
        ("a.real", "'.' is no part of the grammar", ""),
        ("a[0]", "'[' is no part of the grammar", ""),
        ("lambda: 1", "':' is no part of the grammar", ""),
        ("a = 1", "'=' is no part of the grammar", ""),
        ("{a{b}}", "'{' is no part of the grammar", ""),
        ("1e999", "too large", ""),
        ("and", "'and' where a value is expected", ""),
        ("(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1), "deeper than", ""),
        ("-" * (DEEPEST + 1) + "1", "deeper than", ""),
        ("1" + "+1" * MOST_NODES, "more than", ""),
        ("1" + " " * LONGEST, "longer than", ""),
        ("+".join(f"{{x#{number}}}" for number in range(40)), "more than 32 points", ""),
    ],
)
def test_what_is_refused_and_where(text, message, hint):
    with pytest.raises(ExpressionError) as caught:
        parse(text, BOUND, place="point x")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.place == "point x"


def test_the_longest_chain_is_evaluated():
    text = "1" + "+1" * (MOST_NODES // 2 - 1)
    assert value_of(text) == MOST_NODES // 2


# ---------------------------------------------------------------- against Python itself

LEAF = st.one_of(
    st.sampled_from(list(BOUND)),
    st.integers(0, 9).map(str),
    st.sampled_from(["0.5", "2.25", "true", "false"]),
)


def grown(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or"]), pair).map(
            lambda made: f"({made[1][0]} {made[0]} {made[1][1]})"
        ),
        st.tuples(inner, st.sampled_from(["2", "3", "0.5", "-1"])).map(lambda made: f"({made[0]}) ** {made[1]}"),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"(not {text})"),
        st.tuples(inner, inner, inner).map(lambda made: f"if({', '.join(made)})"),
        st.tuples(st.sampled_from(["min", "max"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda made: f"{made[0]}({', '.join(made[1])})"
        ),
        st.tuples(st.sampled_from(["abs", "sqrt", "exp", "log", "round", "floor", "ceil"]), inner).map(
            lambda made: f"{made[0]}({made[1]})"
        ),
    )


TEXTS = st.recursive(LEAF, grown, max_leaves=12)
NUMBERS = st.one_of(st.integers(-20, 20).map(float), st.sampled_from([0.1, -2.5, 1e200, math.nan, math.inf]))


def reference(text, points):
    """The same text through Python's own parser, value by value."""
    tree = ast.parse(text.replace("if(", "when(").replace("true", "1.0").replace("false", "0.0"), mode="eval").body
    return finite(_walk(tree, points))


def finite(number):
    return number if math.isfinite(number) else math.nan


def _walk(node, points):
    try:
        return finite(float(_step(node, points)))
    except (ArithmeticError, ValueError):
        return math.nan


def _step(node, points):
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return points[name]
        case ast.UnaryOp(op=op, operand=operand):
            value = _walk(operand, points)
            return -value if isinstance(op, ast.USub) else math.nan if math.isnan(value) else value == 0
        case ast.BinOp(left=left, op=op, right=right):
            one, other = _walk(left, points), _walk(right, points)
            match op:
                case ast.Add():
                    return one + other
                case ast.Sub():
                    return one - other
                case ast.Mult():
                    return one * other
                case ast.Div():
                    return one / other
                case ast.Mod():
                    return one % other
                case ast.Pow() if not (math.isnan(one) or math.isnan(other)):
                    power = one**other
                    return math.nan if isinstance(power, complex) else power
            return math.nan
        case ast.BoolOp(op=op, values=parts):
            found = [_walk(part, points) for part in parts]
            if any(map(math.isnan, found)):
                return math.nan
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            one, other = _walk(left, points), _walk(right, points)
            if math.isnan(one) or math.isnan(other):
                return math.nan
            match op:
                case ast.Lt():
                    return one < other
                case ast.LtE():
                    return one <= other
                case ast.Gt():
                    return one > other
                case ast.GtE():
                    return one >= other
                case ast.Eq():
                    return one == other
                case ast.NotEq():
                    return one != other
        case ast.Call(func=ast.Name(id=name), args=arguments):
            found = [_walk(argument, points) for argument in arguments]
            if name == "when":
                return math.nan if math.isnan(found[0]) else found[1] if found[0] else found[2]
            if any(map(math.isnan, found)):
                return math.nan
            if name in ("min", "max"):
                return min(found) if name == "min" else max(found)
            known = {"abs": abs, "round": round, "floor": math.floor, "ceil": math.ceil}
            return {**known, "sqrt": math.sqrt, "exp": math.exp, "log": math.log}[name](*found)
    raise AssertionError(ast.dump(node))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS, rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_a_batch_is_what_python_makes_of_each_row(text, rows):
    expression = parse(text, BOUND)
    inputs = [np.array([row["abcd".index(name[-1])] for row in rows]) for name in expression.points]
    found = evaluate(expression.tree, inputs, len(rows)).tolist()
    expected = [reference(text, dict(zip("abcd", map(finite, row), strict=True))) for row in rows]
    assert found == pytest.approx(expected, rel=1e-9, nan_ok=True)


# ---------------------------------------------------------------- whatever comes

PIECES = st.one_of(
    st.sampled_from(
        ["a", "{a#b}", "1", "2.5e3", "+", "-", "*", "**", "/", "%", "(", ")", ",", "<", "==", "and", "or", "not", "if("]
    ),
    st.text(max_size=6),
)


@pytest.mark.fuzz
@settings(max_examples=500, deadline=None)
@given(text=st.lists(PIECES, max_size=60).map(" ".join))
def test_any_text_is_an_expression_or_refused(text):
    try:
        expression = parse(text, BOUND)
    except ExpressionError:
        return
    assert len(evaluate(expression.tree, [np.ones(2)] * len(expression.points), 2)) == 2
