"""Which addresses may be connected to.

A URL that somebody else may have written must not reach what only this machine can reach: cloud metadata, a database on
the same network, an admin page on loopback. So the address that is really connected to is judged, after the name was
looked up, which leaves no gap for a name that changes between the check and the connection.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from driftwatch.errors import DeliveryError

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


def reachable(address: str, *, private: bool) -> bool:
    """Whether an address may be connected to.

    Parameters
    ----------
    address
        An IPv4 or IPv6 address.
    private
        Whether private and loopback addresses may. Link-local ones (cloud metadata lives there), multicast and
        unspecified ones never may.

    Examples
    --------
    >>> reachable("93.184.215.14", private=False), reachable("10.0.0.7", private=False)
    (True, False)
    >>> reachable("10.0.0.7", private=True)
    True
    >>> reachable("169.254.169.254", private=True), reachable("::ffff:127.0.0.1", private=False)
    (False, False)
    """
    found = _inner(ip_address(address.partition("%")[0]))
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        return False
    return found.is_global or (private and not (found.is_reserved and not found.is_private))


def addresses(host: str, port: int, *, private: bool) -> list[str]:
    """Look a host up, and keep the addresses that may be connected to.

    Raises
    ------
    DeliveryError
        If the name is not known, or none of its addresses may be connected to.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryError("connection", f"the name {host} is not known ({error})") from None
    known = list(dict.fromkeys(str(where[4][0]) for where in found))
    kept = [address for address in known if reachable(address, private=private)]
    if not kept:
        hint = "it may never be" if private else "allow_private = true lets private ones be"
        raise DeliveryError("address", f"{host} is at {', '.join(known[:3])}, which is not connected to ({hint})")
    return kept


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, Teredo, NAT64), or itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address
