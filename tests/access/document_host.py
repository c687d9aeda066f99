"""A TLS server on loopback that publishes documents of clients, and the fixtures' documents."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.core.certificates import certificate

CLIENTS: Final = Path(__file__).parent / "clients"


def client_document(name: str) -> dict[str, Any]:
    """What a real client publishes or sends."""
    document: dict[str, Any] = json.loads((CLIENTS / f"{name}.json").read_text(encoding="utf-8"))
    return document


@dataclass(slots=True)
class Published:
    """What an address answers."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


@dataclass(slots=True)
class DocumentHost:
    """The server: its address, its authority, what it publishes by path, and which paths were asked for."""

    base: str
    authority: Path
    pages: dict[str, Published] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publish(self, document: dict[str, Any] | bytes, path: str = "/client.json", **more: Any) -> str:
        """Publish a document, whose `client_id` becomes its URL here unless it names one; answers the URL."""
        url = f"{self.base}{path}"
        if isinstance(document, dict):
            document = json.dumps({**document, "client_id": document.get("client_id", url)}).encode()
        self.pages[path] = Published(document, **more)
        return url


@contextmanager
def document_host(folder: Path) -> Iterator[DocumentHost]:
    """A running server at https://localhost."""
    pem = certificate(folder, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    host = DocumentHost(f"https://localhost:{server.server_port}", pem)
    server.host = host  # type: ignore[attr-defined]  # for the handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host: DocumentHost = self.server.host  # type: ignore[attr-defined]  # as above
        host.asked.append(self.path)
        page = host.pages.get(self.path) or Published(b"", 404)
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, *_args: object) -> None:
        """Nothing."""
