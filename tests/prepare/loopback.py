"""A real HTTP server on the loopback interface, with ranges, redirects and connections that break."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves `files`; `break_at`: bytes after which a connection is cut, one entry per request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.break_at: list[int] = []
        self.ranges: list[str | None] = []
        self.honours_range = True
        self.linked_etag = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """GET with Range, redirects below /hub/, cut connections."""

    server: Server

    def do_GET(self) -> None:
        if self.path.startswith("/hub/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/hub"))
            self.send_header("X-Linked-Etag", f'"{self.server.linked_etag}"')
            self.end_headers()
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self._send(content, self.headers["Range"])

    def _send(self, content: bytes, wanted: str | None) -> None:
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.honours_range else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        limit = self.server.break_at.pop(0) if self.server.break_at else len(content)
        self.wfile.write(content[start : start + limit])

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[Server]:
    """A running server of these files (path -> content)."""
    server = Server()
    server.files = dict(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
