"""What a component's process does to itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = "import sys, pyarrow; pyarrow.array(['a']); pyarrow.table({'a': [1]}).to_pylist(); print('pandas' in sys.modules)"


@pytest.mark.parametrize(
    ("before", "loaded"), [("", True), ("import hulian.platform.infrastructure.process as p; p.without_pandas();", False)]
)
def test_pyarrow_loads_pandas_unasked_unless_it_is_kept_out(before, loaded):
    pytest.importorskip("pandas")
    done = subprocess.run([sys.executable, "-c", before + ASK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(loaded)
