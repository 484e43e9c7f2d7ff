"""Whether a URL stays in this network. Decided by its text alone: no name is looked up, so a name server cannot change the answer."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128")
)
"""RFC 1918, unique local, link-local and loopback. Python's own `is_private` has more in it: `::ffff:8.8.8.8` is private to it."""
SUFFIXES = (".local", ".localhost", ".internal", ".lan", ".corp", ".intra", ".home.arpa", ".svc")
"""Never delegated, or by custom used inside only."""
NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def is_local(url: str) -> bool:
    """Whether what is sent to `url` stays in this network: private addresses, names without a dot, and names of private suffixes.

    In doubt it is not: a host of other characters than a name's, a number that is an address in disguise, no host at all.
    """
    host = _host(url)
    address = _address(host)
    if address is not None:
        return _private(address)
    if not NAME.fullmatch(host) or host.rpartition(".")[2].isdigit():
        return False
    return "." not in host or host.endswith(SUFFIXES)


def is_loopback(url: str) -> bool:
    """Whether `url` is this machine."""
    host = _host(url)
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _host(url: str) -> str:
    """Lower case; empty for what no two parsers read the same way."""
    if re.search(r"[\\\s\x00-\x1f]", url):
        return ""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return "localhost" if host == "localhost." else host


def _address(host: str) -> Address | None:
    """The address that `host` is, also where it is written as one number: `http://134744072` is 8.8.8.8."""
    try:
        found: Address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not re.fullmatch(r"0x[0-9a-f]+|[0-9]+", host):
            return None
        number = int(host, 16) if host.startswith("0x") else int(host, 8 if host.startswith("0") and set(host) <= set("01234567") else 10)
        return ipaddress.IPv4Address(number) if number < 2**32 else ipaddress.IPv6Address("2000::")
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _private(address: Address) -> bool:
    return address.is_unspecified or any(address in network for network in PRIVATE if network.version == address.version)
