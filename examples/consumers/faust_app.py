"""Read `incidents.triaged` in a Faust application, through the bridge that makes it safe: each newest revision is printed as one JSON line.

    FLUX_KAFKA_BROKERS=localhost:9092 python faust_app.py worker --without-web

Needs fluxai[faust]. A handler that raises sends its message to the dead letters, and the stream goes on (pipeline/bridge/README.md).
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time

import faust

from pipeline.bridge import Bridge
from schemas.incident import Incident

GROUP = os.environ.get("FLUX_EXAMPLE_GROUP", "example-faust")
STOP_AFTER = int(os.environ.get("FLUX_EXAMPLE_STOP_AFTER", "0"))  # messages; 0: never
STOP_WHEN_IDLE = float(os.environ.get("FLUX_EXAMPLE_STOP_WHEN_IDLE", "0"))  # seconds after the last message; 0: never

app = faust.App(
    GROUP,
    broker="kafka://" + os.environ.get("FLUX_KAFKA_BROKERS", "localhost:9092").replace(",", ";"),
    consumer_auto_offset_reset="earliest",  # where a new group begins; `latest` for only what is to come
    consumer_group_instance_id=f"{GROUP}-{os.environ.get('FLUX_SLOT', '0')}",  # the same after a restart: it goes on at once
    broker_session_timeout=10.0,
    broker_heartbeat_interval=2.0,
    broker_commit_interval=1.0,
    topic_disable_leader=True,  # else Faust creates a topic of its own for it
)
bridge = Bridge(app, prefix=os.environ.get("FLUX_TOPIC_PREFIX", "flux."))
newest: dict[str, int] = {}  # a real consumer keeps this beside its data: UPDATE ... WHERE revision < the new one
seen = {"messages": 0, "last": math.inf}


@bridge.agent("incidents.triaged", decode=Incident.from_json)
async def on_incident(incident: Incident, event: faust.Event) -> None:
    seen.update(messages=seen["messages"] + 1, last=time.monotonic())
    if incident.revision <= newest.get(incident.incident_id, 0):
        return  # a repeat after a restart, or older than what we have
    newest[incident.incident_id] = incident.revision
    line = {"incident_id": incident.incident_id, "revision": incident.revision, "severity": incident.severity, "title": incident.title}
    print(json.dumps(line), file=sys.__stdout__, flush=True)  # Faust redirects sys.stdout to its log


@app.timer(interval=0.5)
async def stop_when_told() -> None:
    enough = 0 < STOP_AFTER <= seen["messages"]
    idle = 0 < STOP_WHEN_IDLE < time.monotonic() - seen["last"]
    if enough or idle:
        signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    app.main()
