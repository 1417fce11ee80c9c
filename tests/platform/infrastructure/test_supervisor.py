"""The supervisor starts in order, restarts what dies, tells what cannot start, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import anyio
import psutil
import pytest

from hulian.platform.infrastructure.errors import AlreadyRunningError, ComponentFailedError, DataDirectoryError, PortInUseError
from hulian.platform.infrastructure.process import ProcessSpec
from hulian.platform.infrastructure.supervisor import Stage, Supervisor, check_port, lock_directory, read_components

pytestmark = pytest.mark.anyio

GOOD = """
import pathlib, sys, time
from hulian.platform.infrastructure.process import tell_ready
with pathlib.Path(sys.argv[1]).open("a") as log:
    log.write(sys.argv[2] + "\\n")
tell_ready()
time.sleep(600)
"""


def spec(name, code, *arguments, **more):
    return ProcessSpec(name=name, command=[sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], **more)


async def until(condition, seconds=20.0):
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.sleep(0.02)


async def run_until(supervisor, condition):
    """Runs the supervisor until ``condition`` holds after the start, then cancels it."""
    ready = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(supervisor.run, ready.set)
        with anyio.fail_after(30):
            await ready.wait()
        await condition()
        group.cancel_scope.cancel()


def data_directory(tmp_path):
    os.close(lock_directory(tmp_path / "data"))
    return tmp_path / "data"


async def test_stages_start_in_order_and_all_processes_end_with_the_supervisor(tmp_path):
    data, log = data_directory(tmp_path), tmp_path / "order"
    seen = []
    supervisor = Supervisor(
        data,
        [
            Stage(processes=(spec("first", GOOD, log, "first"),)),
            Stage(processes=(spec("second", GOOD, log, "second"), spec("third", GOOD, log, "third"))),
        ],
        seen.append,
    )
    pids = []

    async def look():
        pids.extend(item.pid for item in read_components(data))

    await run_until(supervisor, look)
    assert log.read_text().split()[0] == "first"
    assert sorted(log.read_text().split()) == ["first", "second", "third"]
    assert len(pids) == 3
    assert not any(pid is not None and psutil.pid_exists(pid) for pid in pids)
    assert {item.state for item in read_components(data)} == {"stopped"}


async def test_a_killed_component_is_started_again_and_its_neighbour_is_left_alone(tmp_path):
    data, log = data_directory(tmp_path), tmp_path / "order"
    supervisor = Supervisor(
        data, [Stage(processes=(spec("one", GOOD, log, "one"), spec("two", GOOD, log, "two")))], lambda status: None
    )

    async def kill():
        before = {item.name: item.pid for item in read_components(data)}
        os.kill(before["one"], signal.SIGKILL)

        def again():
            now = {item.name: item for item in read_components(data)}
            return now["one"].state == "running" and now["one"].pid != before["one"] and now["one"].restarts == 1

        await until(again)
        assert {item.name: item.pid for item in read_components(data)}["two"] == before["two"]

    await run_until(supervisor, kill)
    assert sorted(log.read_text().split()) == ["one", "one", "two"]


async def test_a_component_that_cannot_start_is_told_with_its_last_words(tmp_path):
    data = data_directory(tmp_path)
    bad = spec("bad", "import sys; sys.exit('HL-TEST-0001: the disk is made of cheese')")
    with pytest.raises(ExceptionGroup) as caught:
        await Supervisor(data, [Stage(processes=(bad,))], lambda status: None).run(lambda: None)
    failed = caught.value.subgroup(ComponentFailedError)
    assert failed is not None
    assert "made of cheese" in str(
        failed.exceptions[0].exceptions[0] if hasattr(failed.exceptions[0], "exceptions") else failed
    )


async def test_nobody_waits_for_a_late_stage_and_it_is_kept_and_stopped_like_others(tmp_path):
    data, log = data_directory(tmp_path), tmp_path / "log"
    slow = spec("slow", "import sys, time\nwhile not __import__('os').path.exists(sys.argv[3]): time.sleep(0.02)\n" + GOOD,
                log, "slow", tmp_path / "go")  # fmt: skip
    stages = [Stage(processes=(slow,), late=True), Stage(processes=(spec("last", GOOD, log, "last"),))]
    told: list[tuple[str, str]] = []
    supervisor = Supervisor(data, stages, lambda status: told.append((status.name, str(status.state))))

    async def kept():
        assert ("last", "running") in told
        assert ("slow", "running") not in told
        (tmp_path / "go").touch()
        await until(lambda: ("slow", "running") in told)
        psutil.Process(next(item.pid for item in read_components(data) if item.name == "slow")).kill()
        await until(lambda: told.count(("slow", "running")) == 2)

    await run_until(supervisor, kept)
    assert {item.state for item in read_components(data)} == {"stopped"}


async def test_a_late_component_that_cannot_start_is_told_with_its_last_words(tmp_path):
    data = data_directory(tmp_path)
    bad = spec("bad", "import sys; sys.exit('HL-TEST-0002: there is no name')")
    with pytest.raises(ExceptionGroup) as caught:
        await Supervisor(data, [Stage(processes=(bad,), late=True)], lambda status: None).run(lambda: None)
    failed = caught.value.subgroup(ComponentFailedError)
    assert failed is not None
    assert "there is no name" in repr(failed)


async def test_an_exit_that_no_restart_mends_ends_the_node(tmp_path):
    data = data_directory(tmp_path)
    code = """
    import sys, time
    from hulian.platform.infrastructure.process import UNFIXABLE, tell_ready
    tell_ready()
    time.sleep(0.3)
    sys.exit(UNFIXABLE)
    """
    with pytest.raises(ExceptionGroup):
        await Supervisor(data, [Stage(processes=(spec("picky", code),))], lambda status: None).run(lambda: None)
    assert read_components(data)[0].state in ("failed", "stopped")


def test_processes_end_when_the_supervisor_is_killed(tmp_path):
    code = f"""
    import anyio, sys
    from pathlib import Path
    from hulian.platform.infrastructure.process import ProcessSpec
    from hulian.platform.infrastructure.supervisor import Stage, Supervisor, lock_directory
    data = Path(sys.argv[1])
    lock_directory(data)
    child = ProcessSpec(name="child", command=[sys.executable, "-c", {GOOD!r}, sys.argv[2], "child"])
    anyio.run(Supervisor(data, [Stage(processes=(child,))], lambda status: None).run, lambda: print("up", flush=True))
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "data"), str(tmp_path / "log")], stdout=subprocess.PIPE
    )
    assert parent.stdout.readline() == b"up\n"
    child = psutil.Process(read_components(tmp_path / "data")[0].pid)
    parent.kill()
    parent.wait()
    child.wait(timeout=15)
    assert not child.is_running()


def test_a_taken_port_is_named_with_its_owner_and_the_key(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError) as caught:
            check_port("127.0.0.1", port, what="the API", key="api.port")
    assert str(port) in str(caught.value)
    assert f"process {os.getpid()}" in str(caught.value)
    assert "api.port" in caught.value.hint
    check_port("127.0.0.1", port, what="the API", key="api.port")


def test_a_data_directory_belongs_to_one_supervisor(tmp_path):
    lock = lock_directory(tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    with pytest.raises(AlreadyRunningError, match=str(os.getpid())):
        lock_directory(tmp_path / "data")
    os.close(lock)
    os.close(lock_directory(tmp_path / "data"))


def test_a_data_directory_that_is_a_file_is_told(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataDirectoryError, match="data"):
        lock_directory(tmp_path / "data")


async def test_memory_is_measured(tmp_path):
    data = data_directory(tmp_path)
    supervisor = Supervisor(data, [Stage(processes=(spec("one", GOOD, tmp_path / "log", "one"),))], lambda status: None)

    async def look():
        began = time.monotonic()
        await until(lambda: read_components(data)[0].memory_mb > 1)
        assert time.monotonic() - began < 15

    await run_until(supervisor, look)


def test_processes_may_have_many_files_open_although_the_shell_allows_few():
    program = (
        "import resource, subprocess, sys\n"
        "from hulian.platform.infrastructure.process import allow_many_files\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n"
        "allow_many_files()\n"
        "print(hard, subprocess.run(['sh', '-c', 'ulimit -Sn'], capture_output=True, text=True).stdout)\n"
    )
    hard, soft = map(
        int, subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )
    assert soft == (min(hard, 65_536) if hard > 0 else 65_536)
