"""The interface costs nothing before somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

SEMANTICS = "hulian.network.exchange.semantics"
WATCHED = ("hulian.platform.northbound", f"{SEMANTICS}.aas", f"{SEMANTICS}.together", "aas_core3_1", "lxml", "pyoxigraph")


def test_assembly_loads_nothing_of_it():
    code = (
        "import sys, hulian.assembly.northbound, hulian.platform.api.application; "
        f"print([name for name in sys.modules if name.startswith({WATCHED!r})])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_a_stranger_does_not_make_it_load(aas_stack):
    assert aas_stack.semantics is None
    with aas_stack.aas() as client:
        assert client.get("/shells").status_code == 401
    assert aas_stack.semantics is None
    with aas_stack.aas("read") as client:
        assert client.get("/shells").status_code == 200
    assert aas_stack.semantics is not None
