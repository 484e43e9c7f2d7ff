"""Which addresses are nobody's business: loopback, private, link-local, multicast, and what wraps one of these."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether a request to this address leaves for the public internet. Raises ValueError when it is no address."""
    found = ip_address(address.partition("%")[0])
    leads_to = (_wrapped(found) if isinstance(found, IPv6Address) else None) or found
    return leads_to.is_global and not leads_to.is_multicast


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, 6to4, Teredo or NAT64 address leads to."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
