"""Texts as they come in alerts: to plant secrets in, and clean ones with all that looks like a secret and is none."""

from __future__ import annotations

import base64
import html
import json
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agents.advice.view import defanged
from benchmarks.planted import DIGITS, HEX, LOWER, UPPER, luhn, pick

Wrap = Callable[[str, random.Random], str]
CONTEXTS: dict[str, Wrap] = {
    "bare": lambda text, _: text,
    "log_line": lambda text, r: (
        f"2026-11-21T10:{r.randint(10, 59)}:07.113Z ERROR [checkout-7d9f8b6c5d-x2x9z] request failed: {text} (attempt 3)"
    ),
    "log_end": lambda text, _: f'level=warn component=sync msg="upstream refused" detail={text}',
    "stack_trace": lambda text, _: (
        "java.lang.IllegalStateException: cannot connect\n\tat com.acme.pay.Pool.open(Pool.java:118)\n"
        f"Caused by: java.io.IOException: {text}\n\tat com.acme.net.Client.call(Client.java:77)\n\t... 12 more"
    ),
    "python_trace": lambda text, _: (
        f'Traceback (most recent call last):\n  File "/app/main.py", line 42, in run\n    client.open()\nRuntimeError: {text}'
    ),
    "k8s_event": lambda text, _: f"Warning BackOff pod/orders-5c6f7d8b9-kq2lp Back-off restarting failed container: last log: {text}",
    "json_string": lambda text, _: json.dumps({"alertname": "JobFailed", "log": f"start\n{text}\nend", "exit": 1}),
    "json_twice": lambda text, _: json.dumps({"message": json.dumps({"log": f"start\n{text}\nend"})}),
    "json_ascii_html": lambda text, _: (
        json.dumps({"log": text}).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").replace("=", "\\u003d")
    ),
    "html": lambda text, _: f"<p>Job failed:</p><pre>{html.escape(text)}</pre>",
    "sentence": lambda text, _: f"The job of the night run stopped with this output: {text} and was started again 3 times.",
    "quoted": lambda text, _: f'command terminated: "{text}"' if '"' not in text else f"command terminated: {text}",
    "brackets": lambda text, _: f"probe failed [{text}]",
    "table": lambda text, _: f"| step | output |\n|---|---|\n| 1 | {text} |\n| 2 | ok |",
    "multi_line": lambda text, _: f"Exit code 1\n---\n{text}\n---\nlast 20 lines shown",
    "bullet": lambda text, _: f"Details:\n  * {text}\n  * see runbook",
    "harmless_links": lambda text, _: defanged(f"see {text} for more"),
    "crlf": lambda text, _: f"Exit code 1\r\n{text}\r\nnext",
}
ALL_SERVICES = "checkout orders payments search-api user-service inventory edge-gateway ledger notifications batch-report"
SERVICES = ALL_SERVICES.split()
ALL_CODE = """F2PyCapsuleFromVoidPtr ODFNodeMTULessThan9000 KubeVirtNoAvailableNodesToRunVMs GetOrCreateV2BatchJobById
    IOUtilsV2ByteBufferPool XMLHttpRequestUploadV1 HTTP2StreamIDAllocator64Bit AbstractRPCClientPoolMBean"""
CODE = ALL_CODE.split()
WORDS = ("pool", "exhausted", "retry", "queue", "backlog", "broker", "leader", "election", "degraded", "upstream", "rollout", "canary")
DAY = datetime(2026, 11, 21, tzinfo=UTC)


def clean_lines(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """(name of the form, text)."""
    names = sorted(CLEAN)
    return [(name := names[number % len(names)], CLEAN[name](rng)) for number in range(count)]


def pod(r: random.Random) -> str:
    letters = "bcdfghjklmnpqrstvwxz2456789"
    return f"{r.choice(SERVICES)}-{pick(r, letters, r.choice([9, 10]))}-{pick(r, letters, 5)}"


def when(r: random.Random) -> datetime:
    return DAY + timedelta(seconds=r.randint(0, 10**6), microseconds=r.randint(0, 999_999))


def not_a_card(r: random.Random) -> str:
    while luhn(number := r.choice("45") + pick(r, DIGITS, 15)):
        pass
    return number


def some_id(r: random.Random) -> str:
    """A global id as GraphQL servers make them: base64 of `Order:12345`."""
    return base64.b64encode(f"{r.choice(['Order', 'User', 'Cart'])}:{r.randint(1000, 9_999_999)}".encode()).decode()


CLEAN: dict[str, Callable[[random.Random], str]] = {
    "cpu": lambda r: f"CPU of {r.choice(SERVICES)} at {r.uniform(50, 100):.1f}% for {r.randint(5, 60)}m (threshold 80%)",
    "latency": lambda r: (
        f"p99 of {r.choice(SERVICES)} is {r.uniform(0.2, 9):.3f}s, p50 {r.uniform(0.01, 0.3):.3f}s, 41.7% of requests answer 503"
    ),
    "disk": lambda r: (
        f"/dev/sda{r.randint(1, 9)} mounted on /var/lib/kubelet is {r.randint(80, 99)}% full, {r.randint(10**9, 10**12)} bytes free"
    ),
    "git_sha": lambda r: f"deploy of {r.choice(SERVICES)} at {pick(r, HEX, 40)} by pipeline {r.randint(1000, 99999)} ({pick(r, HEX, 7)})",
    "uuid": lambda r: f"request {uuid.UUID(int=r.getrandbits(128), version=4)} timed out after 30s in {r.choice(SERVICES)}",
    "digest": lambda r: f'Failed to pull image "registry/{r.choice(SERVICES)}:v1.{r.randint(0, 40)}.2@sha256:{pick(r, HEX, 64)}"',
    "pod": lambda r: f"pod {pod(r)} in namespace prod-{r.choice(['eu', 'us'])} restarted {r.randint(3, 40)} times: OOMKilled",
    "trace": lambda r: f"trace_id={pick(r, HEX, 32)} span_id={pick(r, HEX, 16)} status=ERROR duration={r.randint(1, 9999)}ms",
    "traceparent": lambda r: f"traceparent: 00-{pick(r, HEX, 32)}-{pick(r, HEX, 16)}-01 sampled",
    "promql": lambda r: (
        f'sum(rate(http_requests_total{{job="{r.choice(SERVICES)}",code=~"5.."}}[5m])) by (pod) / '
        f"sum(rate(http_requests_total[5m])) > 0.{r.randint(1, 9)}"
    ),
    "promql_token": lambda r: (
        f'rate(auth_token_requests_total{{service="{r.choice(SERVICES)}"}}[{r.randint(1, 9)}m]) > 100 and token_cache_hits_total < 5'
    ),
    "global_id": lambda r: f"order {some_id(r)} is stuck in state PAYMENT_PENDING since {r.randint(2, 90)} min",
    "cursor": lambda r: (
        f"page after={base64.b64encode(json.dumps({'id': r.randint(1, 10**8), 'dir': 'next'}).encode()).decode()} took {r.randint(1, 9)}s"
    ),
    "big_number": lambda r: (
        f"heap {r.randint(10**9, 10**12)} of {r.randint(10**12, 10**13)} bytes, offset {r.randint(10**14, 10**15)}, lag "
        f"{r.randint(1, 10**7)}"
    ),
    "epoch": lambda r: (
        f"last success at {int(when(r).timestamp() * 1000)} ({int(when(r).timestamp() * 1e6)} us), next at {int(when(r).timestamp())}"
    ),
    "epoch_ns": lambda r: (
        f'ts={int(when(r).timestamp() * 1e9)} caller=compactor.go:{r.randint(10, 999)} level=error msg="compaction failed"'
    ),
    "order_number": lambda r: f"order {not_a_card(r)} was charged twice, reference {r.randint(10**9, 10**10)}",
    "version": lambda r: (
        f"{r.choice(SERVICES)} "
        f"v{r.randint(0, 9)}.{r.randint(0, 40)}.{r.randint(0, 99)}-rc.{r.randint(1, 9)}+build.{r.randint(1, 9999)} fails its "
        f"readiness probe"
    ),
    "version_four": lambda r: (
        f"agent version {r.randint(1, 9)}.{r.randint(0, 30)}.{r.randint(0, 99)}.{r.randint(0, 99)} is older than version "
        f"7.{r.randint(0, 50)}.0.1"
    ),
    "dates": lambda r: f"between {when(r).isoformat()} and {when(r):%Y-%m-%d %H:%M:%S,%f} {when(r):%d/%b/%Y:%H:%M:%S +0000}",
    "phone_like": lambda r: (
        f"ticket {r.randint(200, 999)}-{r.randint(1000, 9999)}: queue depth {r.randint(100, 999)} {r.randint(100, 999)} "
        f"{r.randint(1000, 9999)} messages"
    ),
    "auth_prose": lambda r: (
        r.choice(
            [
                "authentication failed for user postgres: password authentication failed",
                "invalid token: unexpected end of input at position 3",
                "The password has expired and must be changed by the owner of the account",
                "token expired 5 minutes ago, refresh failed with 401",
                'secret "checkout-tls" not found in namespace payments',
                'MountVolume.SetUp failed for volume "certs" : secret "ingress-cert-2026" not found',
                "error: api key missing in request header",
                "403 Forbidden: credentials rejected by upstream",
                "no basic auth credentials for registry",
                "bearer authentication required by the gateway",
                "password: incorrect for 34 attempts in 5 min",
                "auth: disabled, tls: enabled, mode: strict",
                "Vault is sealed: unseal key shares 2 of 5",
                "session expired; the cookie was rejected",
            ]
        )
        + r.choice(["", f" ({r.randint(2, 900)} times)"])
    ),
    "token_counts": lambda r: (
        f"prompt_tokens={r.randint(10, 9000)} completion_tokens={r.randint(10, 900)} max_tokens: {r.randint(100, 9000)} token_type=bearer"
    ),
    "k8s_names": lambda r: (
        f"secretName: {r.choice(SERVICES)}-tls passwordSecretRef: name serviceAccountToken expirationSeconds: {r.randint(600, 9999)}"
    ),
    "templates": lambda r: (
        r.choice(
            [
                "password=${DB_PASSWORD}",
                "token: {{ .Values.token }}",
                "api_key: <your-api-key>",
                "DB_PASSWORD=****",
                "secret=$(cat /run/x)",
                "password: [REDACTED]",
            ]
        )
        + f" in {r.choice(SERVICES)}"
    ),
    "java": lambda r: (
        f"at org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:{r.randint(10, 2000)}) "
        f"~[spring-webmvc-6.1.{r.randint(0, 20)}.jar!/:6.1.3]"
    ),
    "java_generated": lambda r: (
        f"com.acme.OrderService$$EnhancerBySpringCGLIB$${pick(r, HEX, 8)}.save(<generated>) took {r.randint(1, 99)}s"
    ),
    "camel": lambda r: (
        f"KubernetesHorizontalPodAutoscalerReplicasMismatch{r.randint(1, 9)} fires for HTTPServerRequestDurationSecondsBucket in "
        f"{r.choice(SERVICES)}"
    ),
    "arn": lambda r: (
        f"arn:aws:lambda:eu-west-1:{pick(r, DIGITS[1:], 12)}:function:{r.choice(SERVICES)} throttled, instance i-0{pick(r, HEX, 16)}"
    ),
    "ulid": lambda r: f"event 01{pick(r, '0123456789ABCDEFGHJKMNPQRSTVWXYZ', 24)} rejected by {r.choice(SERVICES)}",
    "etag": lambda r: f'etag "{pick(r, HEX, 32)}-{r.randint(1, 20)}" differs, md5 {pick(r, HEX, 32)}, sha1:{pick(r, HEX, 40)}',
    "fingerprint": lambda r: (
        f"certificate SHA256 fingerprint {':'.join(pick(r, HEX, 2).upper() for _ in range(32))} expires in {r.randint(1, 30)} days"
    ),
    "loopback": lambda r: (
        f"connect to 127.0.0.1:{r.randint(1024, 65535)} refused; listening on 0.0.0.0:{r.randint(1024, 65535)} and "
        f"[::1]:{r.randint(1024, 65535)}"
    ),
    "urls": lambda r: (
        f"see https://runbooks.example.com/{r.choice(SERVICES)}/high-latency?tab=metrics&from=now-1h and "
        f"https://grafana.example.org/d/{pick(r, LOWER + DIGITS, 9)}/overview"
    ),
    "cron": lambda r: f"CronJob report-{r.randint(27000000, 29999999)} missed its schedule '*/5 * * * *' {r.randint(1, 20)} times",
    "kafka": lambda r: (
        f"Group {r.choice(SERVICES)} partition {r.randint(0, 63)} offset {r.randint(10**6, 10**9)} lag {r.randint(1, 10**6)} "
        f"leader {r.randint(1, 9)} epoch {r.randint(1, 99)}"
    ),
    "gc": lambda r: (
        f"[{r.uniform(1, 9999):.3f}s][info][gc] GC({r.randint(1, 9999)}) Pause Young (G1 Evacuation Pause) "
        f"{r.randint(100, 999)}M->{r.randint(10, 99)}M({r.randint(1000, 9999)}M) {r.uniform(1, 200):.3f}ms"
    ),
    "ci": lambda r: (
        f"job {r.randint(10**9, 10**10)} of ref refs/heads/feature/JIRA-{r.randint(1, 9999)}-retry-on-503 failed in step build "
        f"(exit code {r.randint(1, 137)})"
    ),
    "thread": lambda r: (
        f"[http-nio-8080-exec-{r.randint(1, 200)}] o.a.c.c.C.[.[.[/].[dispatcherServlet] : Servlet.service() threw "
        f"java.sql.SQLTimeoutException"
    ),
    "unit": lambda r: (
        f"systemd[1]: user@{r.randint(1000, 1100)}.service: Main process exited, code=exited, status={r.randint(1, 255)}/n/a; "
        f"getty@tty{r.randint(1, 6)}.service restarted"
    ),
    "package": lambda r: (
        f"npm ERR! notsup lodash@4.17.{r.randint(1, 21)} @types/node@{r.randint(10, 22)}.1.0 npm_config_cache npm_lifecycle_event"
    ),
    "path": lambda r: (
        f"/var/lib/kubelet/pods/{uuid.UUID(int=r.getrandbits(128), version=4)}/volumes/kubernetes.io~csi"
        f"/pvc-{uuid.UUID(int=r.getrandbits(128), version=4)}/mount"
    ),
    "container": lambda r: f"containerd://{pick(r, HEX, 64)} exited with 137, cgroup /kubepods/burstable/pod{pick(r, HEX, 32)}",
    "sql": lambda r: (
        f"deadlock detected: process {r.randint(100, 99999)} waits for ShareLock on transaction {r.randint(10**6, 10**9)}; SELECT "
        f"* FROM orders WHERE id = {r.randint(1, 10**9)}"
    ),
    "keys": lambda r: (
        f"primary key orders_pkey, partition key: customer_{r.randint(1, 99)}, routing_key=orders.created.v2, cache key "
        f"cart:{r.randint(1, 10**8)}, sort_key asc"
    ),
    "cpp": lambda r: (
        f"terminate called after throwing std::bad_alloc in acme::detail::fee::add at 0x{pick(r, HEX, 12)} (core dumped {r.randint(1, 99)})"
    ),
    "metrics": lambda r: (
        f'container_memory_working_set_bytes{{container="{r.choice(SERVICES)}",pod="{pod(r)}"}} {r.uniform(1, 99):.4f}e+09'
    ),
    "helm": lambda r: (
        f"release {r.choice(SERVICES)}-{r.randint(1, 99)} chart {r.choice(SERVICES)}-0.{r.randint(1, 40)}.{r.randint(0, 9)} "
        f"app.kubernetes.io/instance={r.choice(SERVICES)} pod-template-hash={pick(r, 'bcdf6789', 10)}"
    ),
    "options": lambda r: (
        f"ssh -p 2222, docker run -p 8080:{r.randint(80, 9000)}, mkdir -p /data/out, --token-ttl {r.randint(1, 60)}m "
        f"--password-file /run/x --auth-mode oidc"
    ),
    "telco": lambda r: (
        f"gNB-{r.randint(1, 999)} cell {r.randint(1, 255)} RSRP -{r.randint(70, 120)} dBm, PRB use {r.randint(50, 100)}%, S1 "
        f"setup failure cause transport-resource-unavailable"
    ),
    "gpu": lambda r: (
        f"Xid {r.randint(13, 94)}: GPU-{uuid.UUID(int=r.getrandbits(128), version=4)} PCI:0000:3{r.choice('abcdef')}:00, ECC "
        f"{r.randint(1, 99)}, {r.uniform(30, 95):.1f} C"
    ),
    "german": lambda r: (
        f"Dienst {r.choice(SERVICES)} antwortet nicht: Zeitüberschreitung nach {r.randint(5, 60)} s, {r.randint(2, 900)} Anfragen betroffen"
    ),
    "words": lambda r: f"{r.choice(SERVICES)}: {' '.join(r.choices(WORDS, k=8))}",
    "ids": lambda r: (
        f"user_id={r.randint(1, 10**7)} tenant=acme-{r.randint(1, 99)} session_count={r.randint(1, 999)} "
        f"build={pick(r, UPPER, 3)}-{r.randint(1, 9999)} run={pick(r, HEX, 24)}"
    ),
    "number_rows": lambda r: (
        f"offset moved by +{r.randint(10**6, 10**7)} to {r.randint(10**9, 10**10)}; mode 0{r.choice([644, 755, 600])} "
        f"size {r.randint(10**6, 10**8)}; calls {r.randint(10**6, 10**7)}, number {r.randint(10**6, 10**8)} of {10**9} rows"
    ),
    "telephony": lambda r: (
        f"call setup p99 {r.randint(1000, 9999)} ms in cell {r.randint(1, 255)}, sms queue {r.randint(10**4, 10**6)}, "
        f"phone service {r.choice(SERVICES)} answered {r.randint(10**6, 10**8)} calls since {when(r):%Y-%m-%d %H:%M:%S}"
    ),
    "record_keys": lambda r: (
        r.choice(["partition key", "idempotency key", "cache key", "routing key", "dedup_key", "request key"])
        + f" {uuid.UUID(int=r.getrandbits(128), version=4)} was seen {r.randint(2, 9)} times, row key {pick(r, HEX, 32)}"
    ),
    "foreign_prose": lambda r: (
        r.choice(
            [
                "Das Passwort ist abgelaufen",
                "Das Kennwort ist falsch",
                "le mot de passe est expiré",
                "contraseña incorrecta para el usuario",
                "la clave primaria es order_id",
                "a senha está errada",
                "hasło wygasło",
                "неверный пароль для пользователя",
                "密码错误",
                "パスワードが違います",
            ]
        )
        + f" ({r.choice(SERVICES)}, {r.randint(2, 900)})"
    ),
    "config_map": lambda r: (
        f"kind: ConfigMap metadata: name: {r.choice(SERVICES)} data: level: debug size: {r.randint(10, 99)}M; "
        f"echo done | grep {r.choice(WORDS)}"
    ),
    "mfa_prose": lambda r: (
        f"MFA required for {r.randint(2, 90)} users; otp service {r.choice(SERVICES)} is slow, "
        f"seed node {r.choice(SERVICES)}-{r.randint(0, 9)} down; the volume is identified by label {r.choice(WORDS)}"
    ),
    "names_of_code": lambda r: f"{r.choice(CODE)} in {r.choice(CODE)}.run, line {r.randint(1, 99)}",
}
