"""Receivers of exported records on loopback: a syslog server over TLS, and an HTTP server that answers as told."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from core.outbound_dial import tls_context
from tests.core.certificates import certificate


@dataclass
class HttpReceiver:
    """`answers`: status, headers and body of the next requests, then 200 for ever."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    answered_often: threading.Event | None = None  # set after the second answer

    def indexes(self) -> list[int]:
        """The places of all records that came by OTLP, in the order in which they came."""
        found = []
        for _, body in self.requests:
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                for log in resource.scope_logs[0].log_records:
                    pairs = {pair.key: pair.value for pair in log.attributes}
                    found.append(pairs["holdfast.index"].int_value)
        return found


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """A running one."""
    receiver = HttpReceiver()
    receiver.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            receiver.requests.append((dict(self.headers.items()), body))
            receiver.may_answer.wait(60)
            if receiver.answered_often is not None and len(receiver.requests) > 1:
                receiver.answered_often.set()
            status, headers, answer = receiver.answers.pop(0) if receiver.answers else (200, {}, b"")
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {"content-length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/v1/logs"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.may_answer.set()
            server.shutdown()
            thread.join()


@dataclass
class SyslogReceiver:
    """`drop_after`: bytes after which a connection is closed, what was read of it thrown away."""

    port: int = 0
    data: bytearray = field(default_factory=bytearray)
    drop_after: list[int] = field(default_factory=list)
    connections: int = 0

    def messages(self) -> list[bytes]:
        """What came, taken apart as RFC 5425 says."""
        found, rest = [], bytes(self.data)
        while rest:
            length, _, rest = rest.partition(b" ")
            found.append(rest[: int(length)])
            rest = rest[int(length) :]
        return found


@contextmanager
def syslog_receiver(folder: Path) -> Iterator[SyslogReceiver]:
    """A running one with a certificate for `localhost`, whose file is also the authority of it."""
    receiver = SyslogReceiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(folder, "localhost"))
    listening = socket.create_server(("127.0.0.1", 0))
    receiver.port = listening.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            receiver.connections += 1
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                _read(receiver, connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield receiver
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def _read(receiver: SyslogReceiver, connection: ssl.SSLSocket) -> None:
    limit, read = (receiver.drop_after.pop(0) if receiver.drop_after else None), bytearray()
    while chunk := connection.recv(65536):
        read += chunk
        if limit is not None and len(read) >= limit:
            return
    receiver.data += read


def forget_contexts() -> None:
    """TLS contexts are kept by the file's name; a test's file is of its own folder."""
    tls_context.cache_clear()
