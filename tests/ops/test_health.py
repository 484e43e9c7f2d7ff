"""The small HTTP server of every worker."""

from __future__ import annotations

import httpx
import pytest

from pipeline.health import STALE_S, Health, HealthServer, metrics_port
from pipeline.metrics import build


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_is_ready_when_nothing_is_waited_for() -> None:
    health = Health(build(process=False), "decide", 1)
    with HealthServer(health) as server, httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        assert client.get("/ready").status_code == 503
        health.waits("restore", "partition 3: 40 % read")
        health.started()
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["waits_for"] == {"restore": "partition 3: 40 % read"}
        health.has("restore")
        assert client.get("/ready").status_code == 200
        text = client.get("/metrics").text
        assert 'flux_worker_ready{lane="decide",slot="1"} 1.0' in text
        assert client.get("/nothing").status_code == 404


def test_a_loop_that_hangs_fails_the_health_check() -> None:
    clock = Clock()
    health = Health(build(process=False), "decide", clock=clock)
    health.turn()
    clock.now += STALE_S - 1
    assert health.answer("/health")[0] == 200
    clock.now += 2
    assert health.answer("/health")[0] == 503
    health.turn()
    assert health.answer("/health")[0] == 200


def test_ports_of_lanes_and_slots_do_not_meet() -> None:
    assert metrics_port(0, "record", 3) == 0
    ports = {metrics_port(9100, lane, slot) for lane in ("intake", "decide", "act", "record") for slot in range(10)}
    assert len(ports) == 40
    assert metrics_port(9100, "decide", 2) == 9112
    with pytest.raises(ValueError, match="FLUX_METRICS_PORT"):
        metrics_port(9100, "decide", 10)
