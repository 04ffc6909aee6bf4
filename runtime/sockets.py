"""Opens a TCP or TLS connection on the event loop, as a plain socket: cancellable at any instant, no threads.

asyncio's own streams would keep the socket to themselves; a library that wants one gets it from here.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Iterator

ADDRESSES_MAX = 4  # a broker behind more names than this is behind a load balancer


class TlsFailed(OSError):
    """TCP works, TLS does not: a certificate is not accepted, or the other side does not speak TLS."""


async def open_socket(host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float) -> socket.socket:
    """A connected, non-blocking socket, an `ssl.SSLSocket` with `tls`. Raises OSError, `TlsFailed` among them.

    A name's addresses are tried one after the other and the last failure is raised; `timeout_s` is for each
    of them, so that a dead one does not hide the next, and once more for the TLS handshake.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise OSError(f"{host}: {error.strerror}") from None
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in found[:ADDRESSES_MAX]:
        sock = socket.socket(family, kind, protocol)
        try:
            with _closed_on_failure(sock):
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small packets, each one urgent
                async with asyncio.timeout(timeout_s):
                    await loop.sock_connect(sock, address)
        except TimeoutError:
            failure = TimeoutError(f"{address[0]} does not answer within {timeout_s} s")
        except OSError as error:
            failure = OSError(f"{address[0]}: {os.strerror(error.errno) if error.errno else error}")
        else:
            return sock if tls is None else await _secured(sock, tls, host, timeout_s)
    raise failure


async def _secured(sock: socket.socket, tls: ssl.SSLContext, host: str, timeout_s: float) -> ssl.SSLSocket:
    with _closed_on_failure(sock):
        secure = tls.wrap_socket(sock, do_handshake_on_connect=False, server_hostname=host)
    with _closed_on_failure(secure):
        try:
            async with asyncio.timeout(timeout_s):
                await _shake_hands(secure)
        except TimeoutError:
            raise TlsFailed(f"{host} does not finish the TLS handshake within {timeout_s} s") from None
        except OSError as error:  # ssl.SSLError is one; a port without TLS just hangs up
            raise TlsFailed(f"TLS with {host} failed: {error.strerror or error}") from None
    return secure


async def _shake_hands(secure: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            secure.do_handshake()
            return
        except ssl.SSLWantReadError:
            await _ready(secure, loop.add_reader, loop.remove_reader)
        except ssl.SSLWantWriteError:
            await _ready(secure, loop.add_writer, loop.remove_writer)


async def _ready(sock: socket.socket, add: Callable[..., object], remove: Callable[[int], object]) -> None:
    """Waits until the socket can be read, or written."""
    ready = asyncio.Event()
    add(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        remove(sock.fileno())


@contextlib.contextmanager
def _closed_on_failure(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise
