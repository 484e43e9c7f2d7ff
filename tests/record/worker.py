"""A record worker as a process of its own, so that a test can kill it: python -m tests.record.worker BROKERS PREFIX URL"""

from __future__ import annotations

import signal
import sys
import threading

from pipeline.record.lane import run_record
from tests.record.conftest import Heard, lane_settings


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run_record(lane_settings(*sys.argv[1:4]), stop, Heard())


if __name__ == "__main__":
    main()
