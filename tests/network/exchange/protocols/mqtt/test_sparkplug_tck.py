"""Every assertion of Sparkplug 3.0.0 is covered by a test that names it, or ``cases/mqtt/sparkplug/tck.toml`` says why not."""

from __future__ import annotations

import ast
import tomllib
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
TABLE = tomllib.loads((HERE.parents[3] / "cases/mqtt/sparkplug/tck.toml").read_text())
ASSERTIONS = 299
"""How many the specification marks as testable: for edge nodes, hosts and servers."""


def claimed() -> dict[str, set[str]]:
    """What the decorators ``@tck`` say: each assertion with the tests that name it, as ``file::test``."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for decorator in node.decorator_list:
                    if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "tck":
                        for argument in decorator.args:
                            found[ast.literal_eval(argument)].add(f"{path.name}::{node.name}")
    return found


def test_every_assertion_has_a_test_or_a_reason():
    covered = TABLE["covered"]
    reasons = {one: reason for reason, ids in TABLE["not_ours"].items() for one in ids}
    assert not covered.keys() & reasons.keys()
    assert len(covered) + len(reasons) == ASSERTIONS
    assert len(reasons) == sum(map(len, TABLE["not_ours"].values()))
    assert all(one.startswith("tck-id-") for one in covered.keys() | reasons.keys())
    assert all(len(reason) > 10 for reason in reasons.values())


def test_the_table_and_the_tests_say_the_same():
    assert {one: set(tests) for one, tests in TABLE["covered"].items()} == dict(claimed())
