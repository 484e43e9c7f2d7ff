"""A processor with state, timers and two inputs, small enough to reason about: it counts, holds and releases.

An alert `{"id", "key", "do"}` is numbered within its key and sent on to `decisions`; with do = "hold" it is sent on only when its timer
fires, 200 ms later, unless a receipt for its id came first; with do = "raise" it fails, which is a dead letter. What was held says
when it was due, and `fired|<id>` counts how often its timer fired.
"""

from __future__ import annotations

import json

from pipeline.engine.processor import Context, Record

HOLD_MS = 200


class Toy:
    name = "toy"
    inputs: tuple[str, ...] = ("alerts", "receipts")
    changelog = "decide.state"

    def process(self, record: Record, context: Context) -> None:
        assert record.value is not None
        body = json.loads(record.value)
        key, what = body["key"], body["id"]
        if record.topic == "receipts":
            released = context.get(b"held|%d" % what)
            context.put(b"done|%d" % what, b"1")
            if released is not None:
                context.delete(b"held|%d" % what)
                context.emit("decisions", key.encode(), released, [("by", b"receipt")])
            return
        number = int(context.get(b"count|" + key.encode()) or 0) + 1
        context.put(b"count|" + key.encode(), b"%d" % number)
        out = json.dumps({"id": what, "key": key, "number": number}).encode()
        if body["do"] == "raise":
            raise ValueError("asked to raise")
        if body["do"] == "large":
            out = b"x" * 3_000_000
        if body["do"] == "hold" and context.get(b"done|%d" % what) is None:
            due = context.now + HOLD_MS
            context.put(b"held|%d" % what, json.dumps({"id": what, "key": key, "number": number, "due": due}).encode())
            context.at(due, "release", str(what))
        else:
            context.emit("decisions", key.encode(), out)

    def fire(self, name: str, key: str, due: int, context: Context) -> None:
        assert name == "release"
        if key == "666":
            raise RuntimeError("this timer always raises")
        context.put(b"fired|" + key.encode(), b"%d" % (int(context.get(b"fired|" + key.encode()) or 0) + 1))
        held = context.get(b"held|" + key.encode())
        if held is not None:
            context.delete(b"held|" + key.encode())
            context.emit("decisions", json.loads(held)["key"].encode(), held, [("by", b"timer")])

    def failed(self, record: Record, error: BaseException, context: Context) -> None:
        context.emit("dead_letters", record.key, record.value, [("error", str(error).encode()), ("offset", b"%d" % record.offset)])


def alert(what: int, key: str = "a", do: str = "pass") -> bytes:
    return json.dumps({"id": what, "key": key, "do": do}).encode()
