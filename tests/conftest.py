"""What every test may ask for: samples, free ports, and a whole running platform."""

from __future__ import annotations

import contextlib
import gc
import os
from pathlib import Path

import hypothesis
import pytest
from free_ports import free_port
from fuzzing import again_and_again

ROOT = Path(__file__).resolve().parent.parent
hypothesis.settings.register_profile("busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy machine")

_missing_samples: set[str] = set()
_MANY_FILES = 300


def pytest_collection_modifyitems(config, items):
    """Soak tests run only when asked for; tests of samples that are not here say which ones are missing."""
    chosen = config.getoption("-m")
    for item in items:
        if item.get_closest_marker("soak") and "soak" not in chosen:
            item.add_marker(pytest.mark.skip(reason="long: run by 'make soak'"))
        for marker in item.iter_markers("samples"):
            for name in marker.args:
                if not (samples_folder() / name).exists():
                    _missing_samples.add(name)
                    item.add_marker(pytest.mark.skip(reason=f"no sample {name} under $HULIAN_SAMPLES"))


def pytest_itemcollected(item):
    """What is marked ``fuzz`` goes on for ``HULIAN_FUZZ_SECONDS``, with other examples each time."""
    seconds = float(os.environ.get("HULIAN_FUZZ_SECONDS", "0"))
    if seconds and item.get_closest_marker("fuzz"):
        item.obj = again_and_again(item.obj, seconds)


def pytest_terminal_summary(terminalreporter):
    if _missing_samples:
        terminalreporter.write_sep("-", "samples that were not found")
        terminalreporter.write_line(f"set HULIAN_SAMPLES to the folder that holds: {', '.join(sorted(_missing_samples))}")


@pytest.fixture(scope="module", autouse=True)
def files_are_closed():
    """A module leaves no heap of open files behind: beyond the 1,024th, clients that use ``select`` fail in other tests."""
    before = _open_files()
    yield
    after = _open_files()
    if after - before >= _MANY_FILES or after >= 2 * _MANY_FILES:  # collecting takes a while with so much loaded
        gc.collect()
        after = _open_files()
    assert after - before < _MANY_FILES, f"{after - before} files were left open"


def _open_files() -> int:
    """Without what the embedded historian keeps for as long as the process lives: libraries, and figures of its threads."""
    count = 0
    for place in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            target = str(place.readlink())
            count += not target.startswith("/proc/") and not target.endswith(".so")
    return count


def samples_folder() -> Path:
    return Path(os.environ.get("HULIAN_SAMPLES") or ROOT.parent / "shared" / "samples")


@pytest.fixture
def samples() -> Path:
    """The folder of the larger sample files; a test that uses one carries the marker ``samples``."""
    return samples_folder()


@pytest.fixture
def ports():
    """A function that returns free ports."""
    return free_port


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A running platform; one for each module of tests."""
    from running import RunningPlatform

    with RunningPlatform(tmp_path_factory.mktemp("platform"), free_port) as running:
        yield running
