"""Show the report of a run while it trains, on this machine alone, read-only."""

import http.server
import ipaddress
import json
import math
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

from flaxgan.system.errors import UserError, say

SECONDS_FOR_A_REQUEST = 10
HTML, JSON = "text/html; charset=utf-8", "application/json"
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
WAIT = (
    "<!doctype html><meta charset='utf-8'><meta http-equiv='refresh' content='2'>"
    "<link rel='icon' href='data:,'><p>The training is starting …</p>"
)
SECONDS_FOR_THE_LAST = 3  # in which a page that looked as lately can fetch the end of the run


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answer GET and HEAD for the few pages of a Watch; they are in memory, no file is read."""

    server: "_Server"
    server_version, sys_version = "flaxgan", ""
    timeout = SECONDS_FOR_A_REQUEST

    def do_GET(self) -> None:
        if not self._is_of_this_machine():
            return self._answer(403, "text/plain", b"this address is not the report's\n")
        page = self.server.watch.page_at(self.path.partition("?")[0])
        if page is None:
            return self._answer(404, "text/plain", b"there is only the report here: /\n")
        self._answer(200, *page)

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self._answer(405, "text/plain", b"the report can only be read\n", {"Allow": "GET, HEAD"})
        self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse

    def _is_of_this_machine(self) -> bool:
        """Tell whether the request names an address of the server, and no name of a stranger's.

        A page elsewhere may have its own name lead to this machine (DNS rebinding), but not a
        number.
        """
        try:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:
            return False
        if not name:
            return False
        if name in ("localhost", self.server.watch.host.lower()):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return self.server.watch.is_open and name == socket.gethostname().lower()
        return True

    def _answer(
        self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (HEADERS | (more or {}) | {"Content-Type": kind}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the terminal is the training's."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False
    # else a second training would share the port, on some systems
    allow_reuse_port = False
    watch: "Watch"

    def handle_error(self, *_: Any) -> None:
        """Leave a visitor who has gone alone."""


class Watch:
    """Serve a report on a port, in threads of its own, until the training ends."""

    def __init__(self, host: str, port: int):
        """Listen from now on. Raises UserError if the port is taken, or can't be had."""
        self.host, self.is_open = host, host not in ("127.0.0.1", "localhost", "::1")
        self._now: Callable[[], dict[str, Any]] = dict
        self._page, self._data, self._version = WAIT.encode(), b"", 0
        self._asked, self._fetched = -math.inf, 0  # when last, by time.monotonic; which version
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        kind = type("_Server", (_Server,), {"address_family": family})
        try:
            self._server = kind((host, port), _Handler)
        except OSError as error:
            raise UserError(
                f"--watch {port}: {host} can't be listened at: {error.strerror or error}; name"
                " another port, or 0 for a free one"
            ) from error
        self._server.watch = self
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="watch", daemon=True
        )

    def show(self, page: str, data: str) -> None:
        """Serve this page, and the data in it, from now on."""
        live = page.replace('<html lang="en">', '<html lang="en" data-live>', 1)
        self._page, self._data = live.encode(), data.encode()
        self._version += 1

    def follow(self, now: Callable[[], dict[str, Any]]) -> None:
        """Ask `now` for how far the training is whenever somebody looks."""
        self._now = now

    def page_at(self, path: str) -> tuple[str, bytes] | None:
        """Return the kind and content of a page, or None if there is none at that path."""
        if path == "/":
            return HTML, self._page
        if path == "/report.json" and self._data:
            self._fetched = self._version
            return JSON, self._data
        if path == "/status.json":
            self._asked = time.monotonic()
            return JSON, json.dumps({"version": self._version, "now": self._now()}).encode()
        return None

    def __enter__(self) -> Self:
        self._thread.start()
        say(f"watch it at {self.address}", flush=True)
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        end = self._asked + SECONDS_FOR_THE_LAST
        while kind is None and self._fetched < self._version and time.monotonic() < end:
            time.sleep(0.05)
        self._server.shutdown()
        self._server.server_close()
