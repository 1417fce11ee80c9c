"""What the fork server makes are the supervisor's own children, in every respect but how they began."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import anyio
import psutil
import pytest

from hulian.platform.infrastructure.forking import ForkedProcess, ForkServer
from hulian.platform.infrastructure.process import ITSELF, ManagedProcess, ProcessSpec

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="forks are had on Linux")]

SERVER = """
import os, sys, time
from hulian.platform.infrastructure.forking import serve
loaded = ["once"]
request = serve(int(sys.argv[1]))
if request is not None:
    request.adopt()
    exec(request.arguments[0])
"""


@pytest.fixture
def server():
    with ForkServer([sys.executable, "-c", SERVER], {"COLOUR": "green"}) as running:
        yield running


def run(server, code, tmp_path, **more):
    """A forked process that runs ``code``; its output goes to ``out``."""
    with (tmp_path / "out").open("ab") as output:
        return server.spawn([textwrap.dedent(code)], stdout=output.fileno(), stderr=output.fileno(), **more)


async def test_a_fork_is_a_child_of_the_supervisor_with_its_own_output_session_and_environment(server, tmp_path):
    told, tell = os.pipe()
    code = """
        print(os.getppid(), os.getsid(0) == os.getpid(), loaded, os.environ["COLOUR"])
        os.write(int(os.environ["TOLD"]), b"here")
    """
    process = ForkedProcess(run(server, code, tmp_path, notify=("TOLD", tell)))
    os.close(tell)
    with anyio.fail_after(30):
        assert await process.wait() == 0
    assert (tmp_path / "out").read_text() == f"{os.getpid()} True ['once'] green\n"
    assert os.read(told, 10) == b"here"
    assert os.read(told, 10) == b"", "nobody else holds what only the child was given"
    os.close(told)


async def test_the_exit_status_is_that_of_the_fork(server, tmp_path):
    failing, killed = (ForkedProcess(run(server, code, tmp_path)) for code in ("sys.exit(7)", "time.sleep(600)"))
    with anyio.fail_after(30):
        assert await failing.wait() == 7
        assert killed.returncode is None
        killed.terminate()
        assert await killed.wait() == -signal.SIGTERM
    killed.kill()  # its number may be another one's by now


async def test_forks_go_on_when_the_server_has_ended(server, tmp_path):
    process = ForkedProcess(run(server, "time.sleep(600)", tmp_path))
    server.close()
    assert psutil.Process(process.pid).ppid() == os.getpid()
    process.kill()
    with anyio.fail_after(30):
        assert await process.wait() == -signal.SIGKILL


def test_nothing_stays_when_the_supervisor_is_killed(tmp_path):
    supervisor = textwrap.dedent(f"""
        import os, sys, threading, time
        from hulian.platform.infrastructure.forking import ForkServer
        server = ForkServer([sys.executable, "-c", {SERVER!r}], {{}})
        found = []
        # From another thread, as the supervisor asks: that it ends must not end the fork.
        asking = threading.Thread(target=lambda: found.append(server.spawn(["time.sleep(600)"], stdout=1, stderr=2)))
        asking.start()
        asking.join()
        print(found[0], server._process.pid, flush=True)
        time.sleep(600)
    """)
    process = subprocess.Popen([sys.executable, "-c", supervisor], stdout=subprocess.PIPE, text=True)
    numbers = [int(word) for word in process.stdout.readline().split()]
    time.sleep(0.5)
    assert all(psutil.pid_exists(number) for number in numbers)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs([psutil.Process(one) for one in numbers if psutil.pid_exists(one)], timeout=30)
    assert not alive


async def test_without_the_server_a_process_is_executed(server, tmp_path):
    server._process.kill()
    server._process.wait()
    with pytest.raises(OSError):
        run(server, "pass", tmp_path)
    managed = ManagedProcess(ProcessSpec(name="version", command=[*ITSELF, "--version"]), tmp_path / "log", server)
    await managed.start()
    with anyio.fail_after(60):
        assert await managed.wait() == 0
    assert managed.last_words()


def test_what_is_loaded_before_the_fork_begins_no_thread_of_its_own():
    code = """
        import importlib, os
        from pathlib import Path
        from hulian.cli import preloading
        from hulian.platform.infrastructure.process import without_pandas
        without_pandas()
        for name in preloading._SHARED:
            importlib.import_module(name)
        for thread in Path("/proc/self/task").iterdir():
            if thread.name != str(os.getpid()):
                print(thread.joinpath("comm").read_text().strip())
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, env=environment
    )
    # That of pyarrow's second allocator, which nothing here uses, and which stops for a fork and is not there afterwards.
    assert set(done.stdout.split()) <= {"jemalloc_bg_thd"}


def test_a_node_runs_on_forks_of_a_server_that_is_gone(platform):
    supervisor = psutil.Process(platform.process.pid)
    children = {child.pid: " ".join(child.cmdline()) for child in supervisor.children()}
    for name in ("historian", "edge", "api"):
        assert any(f"-m hulian up {name}" in line for line in children.values()), children
    assert not any("preloading" in " ".join(child.cmdline()) for child in supervisor.children(recursive=True))
