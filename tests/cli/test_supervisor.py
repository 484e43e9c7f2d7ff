"""The supervisor on small processes of its own: restarts, crash loops, ordered stop, no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.supervisor import Spec, State, Supervisor, project_path

LOYAL = """
import threading
from pipeline.supervisor import leave_with_parent
stop = threading.Event()
leave_with_parent(stop.set)
import signal
signal.signal(signal.SIGTERM, lambda *_: stop.set())
print("up", flush=True)
stop.wait(60)
print("left", flush=True)
"""


def python(name: str, code: str, turn: int = 0) -> Spec:
    return Spec(name, [sys.executable, "-u", "-c", code], project_path(os.environ), turn)


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True


def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    supervisor = Supervisor([python("loyal", LOYAL)], tmp_path)
    supervisor.start()
    worker = supervisor.workers["loyal"]
    try:
        eventually(lambda: "up" in worker.last_words())
        first = worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(supervisor.watch)
        assert worker.last_exit == -signal.SIGKILL and worker.state is State.WAITING
        eventually(lambda: supervisor.watch() or (worker.state is State.RUNNING))
        assert worker.pid not in (None, first) and worker.restarts == 1
    finally:
        assert supervisor.stop() == []


def test_a_worker_that_dies_again_and_again_is_reported_and_waits_longer_each_time(tmp_path: Path) -> None:
    now = [0.0]
    supervisor = Supervisor([python("broken", "raise SystemExit(3)")], tmp_path, clock=lambda: now[0])
    supervisor.start()
    worker = supervisor.workers["broken"]
    waits = []
    for death in range(1, 7):
        eventually(supervisor.watch)
        assert worker.state is (State.LOOPING if death >= 4 else State.WAITING)
        waits.append(worker.next_start - now[0])
        now[0] = worker.next_start
        supervisor.watch()
    supervisor.stop()
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]


def test_a_worker_that_refuses_its_configuration_is_not_started_again(tmp_path: Path) -> None:
    supervisor = Supervisor([python("refuser", "raise SystemExit(2)")], tmp_path)
    supervisor.start()
    eventually(supervisor.watch)
    time.sleep(0.6)
    assert supervisor.watch() == [] and supervisor.workers["refuser"].state is State.REFUSED
    supervisor.stop()


def test_workers_stop_in_the_order_of_their_turns(tmp_path: Path) -> None:
    code = LOYAL + f"open({str(tmp_path / 'order')!r}, 'a').write(NAME)\n"
    specs = [python(name, f"NAME = {name!r}\n{code}", turn) for name, turn in (("c", 2), ("a", 0), ("b", 1))]
    supervisor = Supervisor(specs, tmp_path)
    supervisor.start()
    eventually(lambda: all("up" in worker.last_words() for worker in supervisor.workers.values()))
    assert supervisor.stop() == []
    assert (tmp_path / "order").read_text() == "abc"


def test_a_worker_that_does_not_listen_is_killed_when_the_time_is_up(tmp_path: Path) -> None:
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)"
    supervisor = Supervisor([python("deaf", deaf)], tmp_path)
    supervisor.start()
    pid = supervisor.workers["deaf"].pid
    assert pid is not None
    eventually(lambda: "up" in supervisor.workers["deaf"].last_words())
    assert supervisor.stop(within_s=0.3) == ["deaf"]
    assert not alive(pid)


def test_workers_leave_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    keeper = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path.cwd())!r})
from tests.cli.test_supervisor import python, LOYAL
from pipeline.supervisor import Supervisor
supervisor = Supervisor([python("loyal", LOYAL)], Path({str(tmp_path)!r}))
supervisor.start()
print(supervisor.workers["loyal"].pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", keeper], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        log = tmp_path / "loyal.log"
        eventually(lambda: log.exists() and "up" in log.read_text())
        parent.kill()
    eventually(lambda: not alive(pid), 3)
    assert "left" in log.read_text(), "it drained, it was not cut off"
