"""The server of --watch: what it answers, whom it answers, and how it starts and ends."""

import json
import socket
import threading
import time

import pytest

from flaxgan.config import Config
from flaxgan.reports.watching import Watch
from flaxgan.system.errors import UserError

PAGE = '<!doctype html>\n<html lang="en">\n<p>a report</p>'


@pytest.fixture
def watch():
    with Watch("127.0.0.1", 0) as watch:
        watch.show(PAGE, '{"runs": []}')
        watch.follow(lambda: {"step": 7})
        yield watch


def asked(watch, request):
    """Send bytes as they are -> (status, head, body)."""
    port = int(watch.address.rsplit(":", 1)[1].strip("/"))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), body.decode()


def get(watch, path, host="127.0.0.1", method="GET"):
    return asked(watch, f"{method} {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())


def test_the_report_is_served_and_told_to_follow(watch):
    status, head, body = get(watch, "/")
    assert status == 200 and "text/html" in head and "a report" in body and "data-live" in body
    assert "data-live" not in PAGE, "which opens from a disk, too"
    assert get(watch, "/report.json")[2] == '{"runs": []}'
    assert json.loads(get(watch, "/status.json?x=1")[2]) == {"version": 1, "now": {"step": 7}}
    status, head, body = get(watch, "/", method="HEAD")
    assert status == 200 and "Content-Length: " in head and not body


@pytest.mark.parametrize(
    "path",
    [
        "/../config.json", "/..%2fconfig.json", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
        "/config.json", "/report.html/..", "/generated_images/", "/\\..\\config.json",
        "http://127.0.0.1/config.json", "/." * 2000, "*", "/\x00",
    ],
)  # fmt: skip
def test_nothing_else_is_served(watch, path):
    assert get(watch, path)[0] in (400, 404)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"]
)
def test_it_can_only_be_read(watch, method):
    status, head, _ = get(watch, "/", method=method)
    assert status == 405 and "Allow: GET, HEAD" in head
    assert get(watch, "/", method="BREW")[0] == 501


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9000", 200), ("127.0.0.1", 200), ("[::1]:8000", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example:8000", 403), ("", 403), ("[::", 403),
        ("localhost@evil.example", 403), (socket.gethostname() + ".x", 403),
    ],
)  # fmt: skip
def test_strangers_names_are_refused(watch, host, status):
    assert get(watch, "/", host)[0] == status


def test_what_is_no_http_ends_nothing(watch):
    with socket.create_connection(watch._server.server_address) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
    socket.create_connection(watch._server.server_address).close()
    assert get(watch, "/")[0] == 200


def test_a_port_that_is_taken_is_a_line():
    with Watch("127.0.0.1", 0) as first:
        port = int(first.address.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(UserError, match=f"--watch {port}.*another port, or 0"):
            Watch("127.0.0.1", port)
    with Watch("127.0.0.1", port):
        pass  # it is free again
    with pytest.raises(UserError, match="no-such-host"):
        Watch("no-such-host.invalid", 0)


def test_it_ends_at_once_though_somebody_is_still_connected():
    with Watch("127.0.0.1", 0) as watch:
        watch.show(PAGE, "{}")
        held = socket.create_connection(watch._server.server_address)
        held.sendall(b"GET / HTTP/1.1\r\n")  # and no end of it
        ender = threading.Thread(target=watch.__exit__)
        ender.start()
        ender.join(5)
        assert not ender.is_alive()
        held.close()


def test_a_page_that_looks_gets_the_end_of_the_run():
    with Watch("127.0.0.1", 0) as watch:
        watch.show(PAGE, '{"runs": [1]}')
        get(watch, "/status.json")
        later = threading.Timer(0.5, lambda: fetched.append(get(watch, "/report.json")[2]))
        fetched = []
        later.start()
        began = time.monotonic()
    assert 0.4 < time.monotonic() - began < 2 and fetched == ['{"runs": [1]}']
    began = time.monotonic()
    with Watch("127.0.0.1", 0) as watch:
        watch.show(PAGE, "{}")
    assert time.monotonic() - began < 1, "where nobody looks"


def test_the_fields():
    assert Config.make(watch=0).watch == 0 and "watch" not in Config.make(watch=0).to_dict()
    with pytest.raises(UserError, match="--watch must lie in"):
        Config.make(watch=65536)
    with pytest.raises(UserError, match="--watch-host must be an address"):
        Config.make(watch=0, watch_host="")
    with pytest.raises(UserError, match="--watch-host says"):
        Config.make(watch_host="0.0.0.0")
