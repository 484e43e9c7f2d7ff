"""A Faust application behind the bridge, run as a process by the tests: it notes in a file what its handler did."""

from __future__ import annotations

import asyncio
import os

import faust

from pipeline.bridge import Bridge
from schemas.incident import Incident

GROUP = os.environ["TEST_GROUP"]
HANDLED = os.open(os.environ["TEST_HANDLED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
PAUSE = float(os.environ.get("TEST_PAUSE", "0.001"))

app = faust.App(
    GROUP,
    broker="kafka://" + os.environ["FLUX_KAFKA_BROKERS"],
    consumer_auto_offset_reset="earliest",
    consumer_group_instance_id=f"{GROUP}-{os.environ['FLUX_SLOT']}",
    broker_session_timeout=6.0,
    broker_heartbeat_interval=1.0,
    broker_commit_interval=0.2,
    stream_buffer_maxsize=256,
    topic_disable_leader=True,
)
bridge = Bridge(app, prefix=os.environ["FLUX_TOPIC_PREFIX"], dead_letters=os.environ.get("TEST_DEAD_LETTERS", ""), dead_letter_timeout=5.0)


@bridge.agent("incidents.triaged", decode=Incident.from_json)
async def on_incident(incident: Incident, event: faust.Event) -> None:
    await asyncio.sleep(PAUSE)
    if incident.title == "the handler cannot bear this":
        raise ValueError(f"no such service: {incident.service}")
    line = f"{event.message.partition}\t{event.message.offset}\t{incident.incident_id}\t{incident.revision}\t{incident.title}\n"
    os.write(HANDLED, line.encode())


if __name__ == "__main__":
    app.main()
