"""The generic webhook: the incident and its transition as JSON, signed when there is a key.

Headers: `Idempotency-Key` is the same for every attempt at one transition. With a key, `X-Flux-Timestamp` (epoch seconds) and
`X-Flux-Signature: sha256=<hex>`, the HMAC-SHA256 of `timestamp + "." + body`; a receiver checks it as `is_genuine` does.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from pydantic_core import to_json

from agents.notify.words import Outgoing, incident_link
from schemas.effect import Delivery

SIGNATURE, TIMESTAMP = "X-Flux-Signature", "X-Flux-Timestamp"
TOLERANCE_S = 300


def request(delivery: Delivery, *, now: int, secret: bytes = b"", public_url: str = "") -> Outgoing:
    """`now` is epoch ms: the signature holds for `TOLERANCE_S` around it."""
    body = document(delivery, public_url)
    headers = {"Content-Type": "application/json", "Idempotency-Key": delivery.effect_id}
    if secret:
        stamp = str(now // 1000)
        headers |= {TIMESTAMP: stamp, SIGNATURE: signature(secret, stamp, body)}
    return Outgoing(body, headers)


def document(delivery: Delivery, public_url: str = "") -> bytes:
    """`schema`, `effect_id`, `attempt`, `receiver`, `transition`, `asked_at`, `link` and the whole `incident`."""
    return to_json(
        {
            "schema": 1,
            "effect_id": delivery.effect_id,
            "attempt": delivery.attempt,
            "receiver": delivery.receiver,
            "transition": delivery.transition,
            "asked_at": delivery.asked_at,
            "link": incident_link(public_url, delivery.incident.incident_id),
            "incident": delivery.incident,
        },
        by_alias=True,
    )


def signature(secret: bytes, stamp: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret, stamp.encode() + b"." + body, sha256).hexdigest()


def is_genuine(secret: bytes, stamp: str, signed: str, body: bytes, *, now_s: int, tolerance_s: int = TOLERANCE_S) -> bool:
    """Whether a request came from who holds the key, and lately. `stamp` and `signed` are the two headers."""
    recent = stamp.isascii() and stamp.isdigit() and len(stamp) < 13 and abs(now_s - int(stamp)) <= tolerance_s
    return recent and hmac.compare_digest(signature(secret, stamp, body).encode(), signed.encode())
