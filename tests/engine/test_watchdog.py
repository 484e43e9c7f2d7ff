"""A call that hangs ends the process; calls that take their time do not."""

from __future__ import annotations

import subprocess
import sys
import threading

from pipeline.engine.watchdog import FATAL, Stopwatch, Watchdog

LIMIT = 0.2
LONG = 60.0


def test_a_call_that_does_not_come_back_is_noticed_once() -> None:
    watch, noticed = Stopwatch(), threading.Event()
    with Watchdog(watch, LIMIT, LONG, threading.Event(), noticed.set):
        watch.begin("a call")
        assert noticed.wait(5)


def test_while_stopping_its_own_shorter_limit_counts() -> None:
    watch, noticed, stop = Stopwatch(), threading.Event(), threading.Event()
    with Watchdog(watch, LONG, LIMIT, stop, noticed.set):
        watch.begin("a call")
        assert not noticed.wait(1)
        stop.set()
        assert noticed.wait(5)


def test_calls_that_come_back_and_the_time_between_them_do_not_count() -> None:
    watch, noticed = Stopwatch(), threading.Event()
    with Watchdog(watch, LIMIT, LIMIT, threading.Event(), noticed.set):
        watch.begin("a call")
        watch.end()
        assert watch.seconds() == 0.0
        assert not noticed.wait(1.2)


def test_the_process_ends_with_the_status_that_asks_for_a_new_one() -> None:
    program = (
        "import threading, time\nfrom pipeline.engine.watchdog import Stopwatch, Watchdog\nwatch = Stopwatch()\n"
        "with Watchdog(watch, 0.1, 0.1, threading.Event()):\n    watch.begin('a call')\n    time.sleep(30)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == FATAL and "a call does not come back" in done.stdout + done.stderr
