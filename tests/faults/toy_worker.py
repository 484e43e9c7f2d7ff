"""One worker process of the toy lane: `python -m tests.faults.toy_worker SLOT`."""

from __future__ import annotations

import os
import signal
import sys
import threading

import structlog

from pipeline.engine.worker import EngineSettings, FatalEngineError, Worker
from tests.engine.toy import Toy


def main(slot: int) -> int:
    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso"), structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    settings = EngineSettings(os.environ["FLUX_KAFKA_BROKERS"], os.environ["FLUX_TOPIC_PREFIX"], slot)
    try:
        Worker(Toy(), settings).run(stop)
    except FatalEngineError as error:
        structlog.get_logger().error("fatal", why=str(error))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
