"""Where events may be sent: which URLs a subscription can have, and which addresses are nobody's business."""

import ipaddress
from urllib.parse import urlsplit

URL_CHARACTERS_MAX = 2000  # what every server reads
URL_EXPECTED = (
    f"an https URL of at most {URL_CHARACTERS_MAX} ASCII characters, with a host and without user, password or"
    " fragment; http to this machine alone (127.0.0.1, [::1], localhost)"
)
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address for those who have only IPv6 (RFC 6052)


def is_receiver_url(text: str) -> bool:
    """Whether a subscription can have this URL: `URL_EXPECTED`."""
    if len(text) > URL_CHARACTERS_MAX or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or "#" in text or "@" in parts.netloc or "\\" in text:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK_NAMES)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet, also where it stands for another one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo is not None else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
