"""Requests leave only for addresses that are allowed: the host is resolved here, checked, and the connection goes to what was checked.

A name that answers with a public address once and a private one the next time therefore gets nowhere.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import cache

import certifi
import httpx

from agents.notify.addresses import is_public
from pipeline.act.threads import beside, seen

ADDRESSES_TRIED = 3
KEPT_S = 30.0
"""A name is looked up again after this long."""


class AddressRefused(Exception):
    """The host is, or resolves to, an address that receivers may not have."""


class NoAddress(Exception):
    """The host could not be resolved now; a retry may help."""


class Resolver:
    """Looks up one host, one lookup at a time however many wait for it."""

    def __init__(self, allow_private: bool) -> None:
        self.allow_private = allow_private
        self._lookup: asyncio.Task[list[str]] | None = None
        self._known: tuple[str, list[str], float] | None = None

    async def addresses(self, host: str) -> list[str]:
        """Addresses in the system's order of preference. Raises AddressRefused when any is private, and NoAddress."""
        now = asyncio.get_running_loop().time()
        if self._known is not None and self._known[0] == host and now < self._known[2]:
            return self._known[1]
        if self._lookup is None or self._lookup.done():
            self._lookup = seen(asyncio.create_task(beside(lambda: look_up(host), "resolve")))
        try:
            found = await asyncio.shield(self._lookup)
        except OSError as error:
            raise NoAddress(f"{host} cannot be resolved ({error.strerror or 'no answer'})") from error
        if not self.allow_private and not all(is_public(address) for address in found):
            raise AddressRefused(f"{host} has a private address; set allow_private: true if that is meant")
        self._known = (host, found, now + KEPT_S)
        return found


def look_up(host: str) -> list[str]:
    """Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def trusted() -> ssl.SSLContext:
    """The system's certificates (SSL_CERT_FILE may name others) and, for images that have none, certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class GuardedTransport(httpx.AsyncBaseTransport):
    """For the client of one receiver, whose requests all go to one host. Redirects are the client's to refuse."""

    def __init__(self, *, allow_private: bool, limits: httpx.Limits) -> None:
        self.resolver = Resolver(allow_private)
        self.inner = httpx.AsyncHTTPTransport(verify=trusted(), limits=limits, retries=0, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises AddressRefused, NoAddress and what httpx raises."""
        host = request.url.host
        addresses = (await self.resolver.addresses(host))[:ADDRESSES_TRIED]
        for last, address in zip([*[False] * (len(addresses) - 1), True], addresses, strict=True):
            try:
                return await self.inner.handle_async_request(_to(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if last:
                    raise
        raise NoAddress(f"{host} has no address")

    async def aclose(self) -> None:
        await self.inner.aclose()


def _to(request: httpx.Request, host: str, address: str) -> httpx.Request:
    """The same request to an address: the name stays in the Host header and in TLS, where the certificate is checked against it."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address.partition("%")[0]),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
