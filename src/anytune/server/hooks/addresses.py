"""Which addresses a webhook may go to.

A URL is read by one strict pattern, so that no second parser can see another host in it. Its name is looked up once for each call, every
answer is checked, and the connection goes to an address that was checked: a name that changes its mind between the two has no say.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, NamedTuple

from anytune.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    IP = IPv4Address | IPv6Address
    Resolve = Callable[[str, int], list[str]]

__all__ = ["Place", "Refused", "allowed", "looked_up", "place", "system"]

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(?P<port>[0-9]{1,5}))?(?P<path>/[!-~]*)?"
)
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")
"""A host that browsers and `getaddrinfo` read as a number (WHATWG URL, "ends in a number"): 2130706433, 127.1, 0x7f000001."""
_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65535

_OWN = tuple(
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7", "::1/128")
)
"""What `private` allows: the loopback and the networks that people run."""
_METADATA = frozenset(ipaddress.ip_address(ip) for ip in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
"""Where clouds hand out credentials (AWS, Azure, Google, Alibaba; read 2026-11-22): never."""
_NAT64 = IPv6Network("64:ff9b::/96")


class Refused(Exception):
    """An address that must not be called, or that nobody answers for."""


class Place(NamedTuple):
    """A URL in its parts; `path` holds the query too."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    def at(self, ip: str) -> str:
        """The same URL with an address in the name's stead."""
        return f"{self.scheme}://{f'[{ip}]' if ':' in ip else ip}:{self.port}{self.path}"


def place(url: str, *, private: bool = False) -> Place:
    """Read the URL of a webhook.

    Args:
        url: As the server's owner wrote it.
        private: Allow http and addresses of the own network.

    Raises:
        ConfigError: It is none, has parts that hide its host, or names an address that is not allowed.

    Example:
        >>> place("https://hooks.example.com/tuned?team=a").authority
        'hooks.example.com'
    """
    found = _URL.fullmatch(url)
    if found is None or "#" in url or "\\" in url:
        raise ConfigError(
            "The `url` of a webhook cannot be used.",
            fix="Write https://host/path: no user name, no `#`, no `\\`, no spaces; a host with other letters in its xn-- form.",
        )
    scheme, host, path = found["scheme"], found["host"].lower(), found["path"] or "/"
    port = int(found["port"] or _PORTS[scheme])
    if scheme == "http" and not private:
        raise ConfigError(
            "The `url` of a webhook is http.", fix="Write https, or set `private: true` if the receiver is in your own network."
        )
    if not 0 < port <= _LAST_PORT:
        raise ConfigError(f"The `url` of a webhook has the port {port}.", fix=f"Write one from 1 to {_LAST_PORT}.")
    literal = _literal(host)
    if literal is None and (_NUMBER.fullmatch(host) or host.startswith("[")):
        raise ConfigError(f"The `url` of a webhook names its host as {host!r}.", fix="Write a name, or an address like 203.0.113.7.")
    if literal is not None and not allowed(literal, private=private):
        raise ConfigError(f"The `url` of a webhook leads to {literal}, which is not public.", fix=_fix(literal))
    return Place(scheme, host, port, path)


def allowed(ip: IP, *, private: bool) -> bool:
    """Tell whether a webhook may go to an address; one inside another (IPv4 in IPv6) is what counts."""
    inner = _inner(ip)
    if inner is not None:
        return allowed(inner, private=private)
    if ip in _METADATA or ip.is_multicast or ip.is_unspecified or ip.is_link_local:
        return False
    if any(ip in net for net in _OWN if net.version == ip.version):
        return private
    return ip.is_global and not ip.is_reserved


def looked_up(target: Place, *, private: bool, resolve: Resolve) -> list[str]:
    """Give the addresses of a place, each of them checked.

    Raises:
        Refused: The name is not known, or one of its addresses is not allowed.
    """
    literal = _literal(target.host)
    try:
        found = [str(literal)] if literal is not None else resolve(target.host, target.port)
    except (OSError, UnicodeError):
        raise Refused("its name could not be looked up") from None
    if not found:
        raise Refused("its name could not be looked up")
    for address in found:
        if not allowed(ipaddress.ip_address(address), private=private):
            raise Refused(f"its name leads to {address}, which is not allowed")
    return list(dict.fromkeys(found))


def system(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _literal(host: str) -> IP | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _inner(ip: IP) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None)


def _fix(ip: IP) -> str:
    if allowed(ip, private=True):
        return "Set `private: true` if the receiver is in your own network."
    return "No webhook goes there: give the receiver a name or an address of its own."
