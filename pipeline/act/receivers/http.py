"""One POST with explicit limits: time, connections, how much of the answer is read; and what the answer means."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from agents.notify.words import Outgoing, clean
from pipeline.act.guard import AddressRefused, GuardedTransport, NoAddress
from pipeline.act.receivers.base import Failed, Rejected

ANSWER_BYTES = 64 * 1024
SHOWN = 200
USER_AGENT = "flux-ai"
TRY_AGAIN = frozenset({408, 409, 421, 423, 425, 429})
"""Answers of the 4xx kind that pass by themselves."""


class Endpoint:
    """A receiver's URL and its own client, so that one that hangs takes no connection from another."""

    def __init__(self, url: str, *, timeout_s: float, connections: int, allow_private: bool, secrets: tuple[str, ...] = ()) -> None:
        """`secrets` are blanked out of everything that this endpoint reports."""
        self.url = url
        self._secrets = tuple(secret for secret in secrets if secret)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=min(4, connections), keepalive_expiry=30)
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(allow_private=allow_private, limits=limits),
            timeout=httpx.Timeout(timeout_s, connect=min(5.0, timeout_s / 2), pool=timeout_s),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json, text/plain", "Accept-Encoding": "identity"},
        )

    async def post(self, out: Outgoing) -> bytes:
        """Body of a 2xx answer, its first 64 KiB. Raises Failed and Rejected."""
        try:
            async with self._client.stream("POST", self._target(out.path), content=out.body, headers=out.headers) as response:
                body = await _head(response)
                status, headers = response.status_code, response.headers
        except AddressRefused as error:
            raise Rejected(self.safe(str(error))) from error
        except NoAddress as error:
            raise Failed(self.safe(str(error))) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Rejected("the URL cannot be posted to") from error
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            raise Failed(self.safe(_why(error))) from error
        if 200 <= status < 300:
            return body
        raise self._refusal(status, headers, body)

    def _target(self, path: str) -> str:
        return self.url.rstrip("/") + path if path else self.url

    def _refusal(self, status: int, headers: httpx.Headers, body: bytes) -> Failed | Rejected:
        said = self.safe(body[:2000].decode("utf-8", "replace"))
        detail = f"answered {status}" + (f": {said}" if said else "")
        if status >= 500 or status in TRY_AGAIN:
            return Failed(detail, retry_after_ms(headers.get("Retry-After", "")))
        if 300 <= status < 400:
            return Rejected(f"answered {status}, a redirect, which is not followed; give the address it leads to")
        return Rejected(detail)

    def safe(self, text: str) -> str:
        """`text` on one short line, without this receiver's secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return clean(text, SHOWN)

    async def close(self) -> None:
        await self._client.aclose()


async def _head(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= ANSWER_BYTES:
            break
    return body[:ANSWER_BYTES]


def _why(error: Exception) -> str:
    kinds: dict[type[Exception], str] = {
        httpx.ConnectTimeout: "no connection in time",
        httpx.ReadTimeout: "no answer in time",
        httpx.WriteTimeout: "took the request too slowly",
        httpx.PoolTimeout: "all its connections are busy",
        httpx.RemoteProtocolError: "broke off the connection",
        httpx.ReadError: "broke off the connection",
    }
    plain = kinds.get(type(error))
    text = str(error)
    return plain or f"not reachable: {text or type(error).__name__}"


def retry_after_ms(value: str, now: datetime | None = None) -> int | None:
    """Retry-After in seconds or as a date; None when it says nothing usable."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:9]), 86_400) * 1000
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    wait = (at - (now or datetime.now(UTC))).total_seconds()
    return round(max(0.0, min(wait, 86_400.0)) * 1000)
