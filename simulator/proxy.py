"""The front door: one plain port that is an HTTPS proxy for Yahoo's hosts and for no other.

A CONNECT to a host of Yahoo's is answered with 200, and TLS is then spoken on the same connection by the exchange itself, so
nothing is ever forwarded anywhere. Any other plain request goes to the plain application (the health check).
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

import structlog

from simulator import metrics

log = structlog.get_logger()

MAX_HEAD_BYTES = 16_384
HEAD_TIMEOUT_S = 20.0
HANDSHAKE_TIMEOUT_S = 20.0

ProtocolFactory = Callable[[], asyncio.Protocol]


def is_yahoo(host: str) -> bool:
    return host == "yahoo.com" or host.endswith(".yahoo.com")


class FrontDoor(asyncio.Protocol):
    """Reads the first request head of a connection and hands the connection on."""

    transport: asyncio.Transport

    def __init__(
        self, exchange: ProtocolFactory, plain: ProtocolFactory, tls: ssl.SSLContext, tasks: set[asyncio.Task[None]]
    ) -> None:
        self.exchange = exchange
        self.plain = plain
        self.tls = tls
        self.tasks = tasks
        self.head = bytearray()
        self.timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.timeout = asyncio.get_running_loop().call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timeout is not None:
            self.timeout.cancel()

    def data_received(self, data: bytes) -> None:
        self.head += data
        end = self.head.find(b"\r\n\r\n")
        if end < 0:
            if len(self.head) > MAX_HEAD_BYTES:
                self._refuse("431 Request Header Fields Too Large", "the request's head is too long")
            return
        if self.timeout is not None:
            self.timeout.cancel()
        words = bytes(self.head[: self.head.find(b"\r\n")]).decode("latin-1").split()
        if len(words) == 3 and words[0] == "CONNECT":
            self._connect(words[1], self.head[end + 4 :])
        elif len(words) == 3 and words[1].startswith("/"):
            self._hand_over()
        else:
            self._refuse("403 Forbidden", "only CONNECT to Yahoo's hosts goes through this proxy")

    def _connect(self, target: str, rest: bytearray) -> None:
        host, _, port = target.rpartition(":")
        if not is_yahoo(host.lower()) or port != "443":
            log.warning("refused to tunnel", target=target[:200])
            metrics.REFUSED.inc()
            self._refuse("403 Forbidden", "the simulated exchange stands in for Yahoo's hosts and forwards to no other")
        elif rest:
            self._refuse("400 Bad Request", "bytes after CONNECT, before it was answered")
        else:
            # No byte of the handshake may be read before TLS has taken over.
            self.transport.pause_reading()
            self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            task = asyncio.get_running_loop().create_task(self._speak_tls(self.transport))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _speak_tls(self, transport: asyncio.Transport) -> None:
        protocol = self.exchange()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, protocol, self.tls, server_side=True, ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S
            )
        except (OSError, ssl.SSLError) as error:
            log.info("a client broke off the TLS handshake", reason=str(error))
            transport.abort()
            return
        if secured is None:
            return
        protocol.connection_made(secured)

    def _hand_over(self) -> None:
        protocol = self.plain()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(bytes(self.head))

    def _refuse(self, status: str, reason: str) -> None:
        body = reason.encode() + b"\n"
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
