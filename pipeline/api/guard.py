"""Before any route: who may call, how many at once, and what is counted. Errors of all routes become one kind of answer."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import time
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.api.body import BadEncoding, Overloaded, TooSlow
from pipeline.api.parts import Parts
from pipeline.api.publish import TooLargeForKafka, Unavailable
from pipeline.history.base import HistoryUnavailable

log = structlog.get_logger(__name__)

MAX_REQUESTS = 512
"""Handled at once; more are told to come back."""
OPEN_PATHS = frozenset({"/metrics", "/health", "/ready", "/docs", "/openapi.json"})
OWN_CHECK = frozenset({"/api/v1/slack/actions"})
"""Paths whose callers prove themselves by a signature."""
PAGES = "/incidents/"
"""What people open in a browser, which cannot send a bearer token."""


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """An ASGI layer around the application."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self.app = app
        self.parts = parts
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        code = 500

        async def watched(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        self.running += 1
        try:
            refused = self.refusal(scope)
            await (refused or self.app)(scope, receive, watched)
        finally:
            self.running -= 1
            route = str(getattr(scope.get("route"), "path", "unmatched"))
            self.parts.metrics.http_requests.of(route, str(code)).inc()
            self.parts.metrics.http_request_seconds.of(route).observe(time.monotonic() - started)

    def refusal(self, scope: Scope) -> JSONResponse | None:
        """The answer to a request that does not get in; None when it does."""
        path = scope["path"]
        if path in OPEN_PATHS:
            return None
        if self.running > MAX_REQUESTS:
            return JSONResponse({"error": f"more than {MAX_REQUESTS} requests at once"}, 503, {"Retry-After": "1"})
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        page = path.startswith(PAGES)
        if self.parts.token and path not in OWN_CHECK and not presented(headers, self.parts.token, by_browser=page):
            words = "the token is missing or wrong: send Authorization: Bearer with the value of FLUX_API_TOKEN"
            return JSONResponse(
                {"error": words}, 401, {"WWW-Authenticate": 'Basic realm="Flux AI, password: the token"' if page else "Bearer"}
            )
        if (page or not self.parts.token) and scope["method"] not in ("GET", "HEAD") and foreign(headers):
            return JSONResponse({"error": "a page of another site may not call this: set FLUX_API_TOKEN"}, 403)
        return None


def presented(headers: Mapping[str, str], token: str, *, by_browser: bool = False) -> bool:
    """Whether the caller knows the token; `by_browser`: also as the password of Basic, which a browser asks for and then always sends.

    Takes the same time whatever was sent.
    """
    kind, _, given = headers.get("authorization", "").partition(" ")
    if by_browser and kind.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif kind.lower() != "bearer":
        given = headers.get("x-api-token", "")
    return hmac.compare_digest(given.strip().encode(), token.encode())


def foreign(headers: Mapping[str, str]) -> bool:
    """Whether a browser sends this for a page that is not ours. Programs send no Origin."""
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def add_error_answers(app: FastAPI) -> None:
    """Each exception that a route may raise, as status and words."""

    def say(kind: type[Exception], status: int, retry_after_s: int | None = None) -> None:
        async def handler(_: Request, error: Exception) -> JSONResponse:
            wait = getattr(error, "retry_after_s", retry_after_s)
            return JSONResponse({"error": str(error)}, status, {"Retry-After": str(wait)} if wait is not None else {})

        app.add_exception_handler(kind, handler)

    say(Unavailable, 503)
    say(HistoryUnavailable, 503, 5)
    say(Overloaded, 503, 1)
    say(TooSlow, 408)
    say(TooLargeForKafka, 413)
    say(BadEncoding, 400)
    say(ClientDisconnect, 400)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unexpected)


async def invalid(_: Request, error: Exception) -> JSONResponse:
    problems: list[dict[str, Any]] = []
    if isinstance(error, RequestValidationError):
        problems = [{"where": ".".join(str(part) for part in one["loc"]), "what": one["msg"]} for one in error.errors()[:50]]
    return JSONResponse({"error": "the request is not what this path takes", "problems": problems}, 422)


async def plain(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def unexpected(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours. Senders of alerts retry on 5xx, so it is one."""
    log.error("request failed", path=request.url.path, error=f"{type(error).__name__}: {error}")
    return JSONResponse({"error": "an unexpected fault; the worker's log has it"}, 500)
