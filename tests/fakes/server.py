"""A scriptable HTTP server on 127.0.0.1: routes answer, faults spoil, the log keeps what was asked."""

import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

from genres.core.params import Host, Services


def services(rate: float = 1000.0, **changes: Any) -> Services:
    """Return limits for requests that do not slow a test down, with changes."""
    return Services(**{"requests_per_second": dict.fromkeys(get_args(Host), rate), "attempts": 3} | changes)


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str  # without the query
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    time: float = field(default_factory=time.monotonic)
    status: int = 0  # of the answer, once it is given


@dataclass
class Answer:
    """What is sent: JSON where `body` is a dict or list, else the text or bytes; and what spoils it."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_after: int | None = None  # bytes of the body after which the connection is closed
    reset: bool = False  # close with RST, before the status line unless cut_after says how much is sent

    def content(self) -> bytes:
        if isinstance(self.body, dict | list) or self.body is None:
            return json.dumps(self.body).encode()
        return self.body.encode() if isinstance(self.body, str) else self.body


Route = Callable[[Request], Answer]


@dataclass
class Fault:
    """Spoils the next `times` requests whose "METHOD /path" matches `pattern` (a regular expression)."""

    pattern: str
    answer: Answer | Callable[[Request, Route], Answer]  # a function may call the route and change what it gives
    times: int = 1


class FakeServer(ThreadingHTTPServer):
    """Answers by the first route whose pattern matches "METHOD /path"; 404 where none does.

    Use it as a context manager; `url` is its address. `faults` are used up in order.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.routes: list[tuple[str, Route]] = []
        self.faults: list[Fault] = []
        self.log: list[Request] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def route(self, pattern: str, answer: Route) -> None:
        self.routes.append((pattern, answer))

    def fault(self, pattern: str, answer: Any, times: int = 1) -> None:
        self.faults.append(Fault(pattern, answer, times))

    def asked(self, pattern: str = "") -> list[Request]:
        """The requests so far whose "METHOD /path" matches."""
        with self.lock:
            return [request for request in self.log if re.search(pattern, f"{request.method} {request.path}")]

    def answer(self, request: Request) -> Answer:
        name = f"{request.method} {request.path}"
        with self.lock:
            self.log.append(request)
            fault = next((f for f in self.faults if f.times > 0 and re.search(f.pattern, name)), None)
            if fault:
                fault.times -= 1
        route = next((route for pattern, route in self.routes if re.fullmatch(pattern, name)), _not_found)
        if fault is None:
            return route(request)
        return fault.answer if isinstance(fault.answer, Answer) else fault.answer(request, route)

    def __enter__(self) -> "FakeServer":
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *arguments: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed or give up are part of the tests."""


def _not_found(request: Request) -> Answer:
    return Answer({"error": {"status": 404, "message": "Service not found"}}, 404)


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer
    protocol_version = "HTTP/1.1"

    def _respond(self) -> None:
        split = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            split.path,
            {key: values[-1] for key, values in parse_qs(split.query, keep_blank_values=True).items()},
            {key.lower(): value for key, value in self.headers.items()},
            self.rfile.read(length).decode(),
        )
        answer = self.server.answer(request)
        request.status = answer.status
        time.sleep(answer.delay_s)
        if answer.reset and answer.cut_after is None:
            self._reset()
            return
        content = answer.content()
        self.send_response(answer.status)
        kind = "application/json" if isinstance(answer.body, dict | list) else "application/octet-stream"
        for key, value in ({"Content-Type": kind, "Content-Length": str(len(content))} | answer.headers).items():
            self.send_header(key, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content[: answer.cut_after])
        if answer.reset:
            self._reset()
        if answer.cut_after is not None:
            self.close_connection = True

    do_GET = do_POST = do_HEAD = _respond  # noqa: N815 (the names that http.server looks for)

    def _reset(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""
