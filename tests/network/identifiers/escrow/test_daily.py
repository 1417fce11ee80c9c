"""The daily export: when it is due, what it makes, what carries it away, what stays."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from escrow_exports import NODE, agent_key, custodian, fill, held, new_store, signing_key

from hulian.network.identifiers.escrow import EscrowConfiguration, restore
from hulian.network.identifiers.escrow.daily import UPLOADED, Daily, due, exports_in
from hulian.network.identifiers.escrow.errors import ExportError, UploadError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
START = datetime(2026, 11, 23, 0, 20, tzinfo=UTC).timestamp()


@pytest.fixture
def store(tmp_path):
    found = fill(new_store(tmp_path / "node.db"), 5)
    yield found
    found._registry.close()


@pytest.fixture
def clock(monkeypatch):
    """A day after a day, without waiting for them."""

    class Clock:
        now = START

        def pass_(self, **time: int) -> None:
            self.now += timedelta(**time).total_seconds()

    clock = Clock()
    monkeypatch.setattr(time, "time", lambda: clock.now)
    monkeypatch.setattr(time, "time_ns", lambda: int(clock.now * 1e9))
    return clock


def daily(store, tmp_path, **more) -> Daily:
    settings = EscrowConfiguration(directory=str(tmp_path / "out"), recipients=("x",), **more)
    return Daily(store._registry, NODE, settings, [agent_key().public_key()], signing_key())


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        (None, "2026-11-23T07:00:00"),
        ("2026-11-22T00:10:01", "2026-11-23T00:10:00"),
        ("2026-11-23T00:09:59", "2026-11-23T00:10:00"),
        ("2026-11-23T00:10:00", "2026-11-24T00:10:00"),
        ("2026-11-23T06:00:00", "2026-11-24T00:10:00"),
        ("2026-12-31T06:00:00", "2026-11-23T07:00:00"),
    ],
)
def test_when_it_is_due(last, wanted):
    now = datetime(2026, 11, 23, 7, tzinfo=UTC)
    before = datetime.fromisoformat(last + "+00:00") if last else None
    assert due(before, "00:10", now).isoformat() == wanted + "+00:00"


async def test_a_full_one_a_week_differentials_between_and_old_ones_go(store, clock, tmp_path):
    task = daily(store, tmp_path, keep=2)
    left = await task.once()
    assert left == 23 * 3600 + 50 * 60
    assert await task.once() == left
    assert len(exports_in(tmp_path / "out")) == 1
    killed = tmp_path / "out" / ".killed-full"
    killed.mkdir()
    (killed / "volume-0001.bin").touch()
    for day in range(15):
        clock.pass_(days=1)
        if day % 2:
            store.create(f"88.111.1/day{day}", [])
        await task.once()
    kinds = [manifest.kind[0] for _, manifest in exports_in(tmp_path / "out")]
    assert "".join(kinds) == "fddddddfd"
    last = [folder for folder, _ in exports_in(tmp_path / "out")][-2:]
    empty = new_store(tmp_path / "empty.db")
    restore(empty, last, custodian())
    assert held(empty) == held(store)
    empty._registry.close()
    assert {path.name[0] for path in (tmp_path / "out").iterdir()} == {"8"}, "nothing half is left"


async def test_a_command_carries_it_away_and_is_tried_again(store, clock, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(anyio, "sleep", lambda seconds: pauses.append(seconds) or anyio.lowlevel.checkpoint())
    script = tmp_path / "carry; rm -rf.py"
    script.write_text(
        "import pathlib, sys\n"
        "seen = pathlib.Path(sys.argv[1], 'seen')\n"
        "with seen.open('a') as file: file.write(' '.join(sys.argv[2:]) + '\\n')\n"
        "sys.exit(0 if len(seen.read_text().splitlines()) > 3 else 'no route to host')\n"
    )
    upload = (sys.executable, str(script), str(tmp_path), "{directory}", "to:{name}", "$(id)")
    task = daily(store, tmp_path, upload=upload, upload_tries=2)
    with pytest.raises(UploadError, match="failed 2 times: exit status 1: no route to host"):
        await task.once()
    ((folder, _),) = exports_in(tmp_path / "out")
    assert not (folder / UPLOADED).exists()
    assert pauses == [1.0]
    with pytest.raises(UploadError):
        await daily(store, tmp_path, upload=upload, upload_tries=1).once()
    assert len(exports_in(tmp_path / "out")) == 1, "it is not made again"
    await task.once()
    assert (folder / UPLOADED).exists()
    await task.once()
    assert (tmp_path / "seen").read_text().splitlines() == [f"{folder} to:{folder.name} $(id)"] * 4


async def test_what_goes_wrong_is_told(store, tmp_path):
    with pytest.raises(UploadError, match="cannot be started"):
        await daily(store, tmp_path, upload=("/nonexistent",), upload_tries=1).once()
    slow = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(UploadError, match="more than 1 s"):
        await daily(store, tmp_path, upload=slow, upload_s=1, upload_tries=1).once()
    (tmp_path / "file").touch()
    settings = EscrowConfiguration(directory=str(tmp_path / "file" / "below"), recipients=("x",))
    task = Daily(store._registry, NODE, settings, [agent_key().public_key()], signing_key())
    with pytest.raises(ExportError):
        await task.once()
    async with anyio.create_task_group() as group:
        group.start_soon(task.run)
        with anyio.fail_after(60):
            while not task.trouble:
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert "HL-ID-1009" in task.trouble
