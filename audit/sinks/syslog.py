"""Syslog by RFC 5424: one line of JSON a message, over UDP, TCP or TLS (framed as RFC 6587 and 5425 have it).

Syslog answers nothing. Over TCP and TLS what was sent counts as arrived once the other side has read to the end and
closed; over UDP nobody can know.
"""

import os
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC
from typing import Final
from urllib.parse import urlsplit

from audit.sinks.base import Message, Undelivered

_PRIORITY: Final = 13 * 8 + 5  # log audit, notice
_SECONDS: Final = 5.0
_PORTS: Final = {"udp": 514, "tcp": 514, "tls": 6514}


class SyslogSink:
    """`url`: udp://host:514, tcp://host:514 or tls://host:6514, else ValueError; `ca_file`: a further authority."""

    def __init__(self, url: str, *, ca_file: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
            raise ValueError("an address such as tls://logs.example:6514 is expected")
        self._scheme, self._host = parts.scheme, parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._ca_file = ca_file
        self.name = f"syslog:{self._scheme}:{self._host}:{self._port}"

    def send(self, messages: Sequence[Message]) -> None:
        """All over one connection."""
        lines = [_line(message) for message in messages]
        try:
            if self._scheme == "udp":
                self._send_datagrams(lines)
            else:
                self._send_stream(b"".join(b"%d %s" % (len(line), line) for line in lines))
        except TimeoutError as error:
            raise Undelivered("The server did not answer in time.") from error
        except ssl.SSLError as error:
            raise Undelivered("The TLS connection failed.") from error
        except OSError as error:
            raise Undelivered("No connection could be made, or it broke off.") from error

    def _send_datagrams(self, lines: Sequence[bytes]) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as link:
            link.connect(address)
            for line in lines:
                link.send(line)

    def _send_stream(self, content: bytes) -> None:
        with socket.create_connection((self._host, self._port), timeout=_SECONDS) as raw:
            if self._scheme == "tls":
                with self._encrypted(raw) as link:
                    link.sendall(content)
                    link.unwrap()  # says that we are done, and returns when the other side said so
                return
            raw.sendall(content)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass

    def _encrypted(self, raw: socket.socket) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        if self._ca_file:
            context.load_verify_locations(self._ca_file)
        return context.wrap_socket(raw, server_hostname=self._host)


def _line(message: Message) -> bytes:
    moment = message.time.astimezone(UTC)
    head = f"<{_PRIORITY}>1 {moment:%Y-%m-%dT%H:%M:%S.%fZ} {_host_name()} holdfast {os.getpid()} {message.kind} -"
    return f"{head} {message.text()}".encode()


def _host_name() -> str:
    name = "".join(letter for letter in socket.gethostname() if "!" <= letter <= "~")
    return name[:255] or "-"
