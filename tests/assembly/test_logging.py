"""The log of a component must never be what ends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import structlog
from hulian.assembly.logging import configure_logging
configure_logging("historian")
for number in range(1000):
    structlog.get_logger().error("a block cannot be stored", number=number)
print("goes on")
"""


def test_a_full_disk_under_the_log_stops_nothing():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert done.stdout.strip() == "goes on"
