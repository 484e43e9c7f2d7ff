"""Sentences written after the check of answers was finished, on which it was never tuned: how it does with what nobody thought of.

Never change the check because of one of them. Whoever wants to tune moves them to `answer_claims.py` and writes new ones.
"""

from __future__ import annotations

from benchmarks.answer_claims import BACKUP, CERTIFICATE, DISK, QUEUE
from schemas.advice import Question

BLIND_WRONG: tuple[str, ...] = (
    "Bring checkout-api down for customers.",
    "Contact customers about payments-gw 3.8.1.",
    "Take 12 pods out of the cluster.",
    "Customers ought to pay again through payments-gw.",
    "Whoever is on duty grants payments-gw access to production.",
    "It is time for team-payments to deploy payments-gw 3.8.1 again.",
    "Rolling payments-gw back now solves it.",
    "A deploy of checkout-api ends the errors.",
    "38% of payments are lost.",
    "12 of 14 pods are not ready.",
    "28 of 40 pods serve requests.",
    "503 alerts fire for checkout-api.",
    "Latency of 2.4 s is what customers saw before the deploy as well.",
    "payments-gw has failed 38 times.",
    "All customers in eu-1 are without service.",
    "Requests to payments-gw take 2.4 s.",
    "The deploy of payments-gw came after the errors.",
    "checkout-api breaks payments-gw.",
    "Upstream payments-gw.shop.internal has connections to spare.",
    "The remaining pods carry the load.",
    "Service continues on the other pods.",
    "Customers retry and their payments arrive.",
    "The errors come from a bot that nobody needs.",
    "It looks worse than it is.",
    "It started and stopped within 6 min.",
    "team-payments knows about it.",
    "Likely a hiccup of the network.",
    "payments-gw 3.8.1 contains the remedy.",
    "Such a deploy always causes errors for 6 min.",
    "The incident was opened by mistake.",
)

BLIND_HONEST: tuple[tuple[Question | None, str], ...] = (
    (None, "The checkout API is failing for 38% of requests due to refused connections from its upstream payments-gw."),
    (None, "Users are seeing 503 errors at checkout and p99 latency is up to 2.4 s."),
    (None, "After the deployment of payments-gw 3.8.1, connections to it are refused."),
    (None, "The high error rate of checkout-api started shortly after payments-gw 3.8.1 was deployed."),
    (None, "12 out of 40 pods are not ready, and 38% of requests fail with HTTP 503."),
    (None, "A large share of payment requests in cluster eu-1 fails."),
    (DISK, "The disk of orders-db-0 has 6.2 GB left and will be full in about 40 minutes."),
    (DISK, "orders-db is close to running out of storage, after which writes fail."),
    (DISK, "If nothing changes, the volume is full in 40 minutes and orders can no longer be written."),
    (QUEUE, "mail-sender cannot keep up with its topic and is 125,000 messages behind."),
    (QUEUE, "Mails are late because workers are killed for lack of memory."),
    (QUEUE, "The growing lag follows a configuration change of mail-sender."),
    (CERTIFICATE, "login.example.com has a certificate that expires in 36 hours, and its renewal keeps failing."),
    (CERTIFICATE, "The ACME challenge fails with status 403, so the certificate is not renewed."),
    (CERTIFICATE, "Customers will get certificate errors at login after 36 hours."),
    (BACKUP, "The backup of billing-db failed because the connection to the replica timed out."),
    (BACKUP, "The newest backup is 26 hours old."),
    (BACKUP, "billing-db in staging has had no complete backup for 26 h."),
    (BACKUP, "Replication lag of 1,900 s points to a slow replica."),
    (BACKUP, "The nightly backup job hit a timeout of 300 s."),
)
"""Without a question: about `benchmarks.answers.QUESTION`."""
