"""The report of a run that is still under way, for a browser on the same machine.

Reads the run folder alone, as ``p2pfl report`` does. The page asks once a second whether there is a
newer one, and takes over what changed in it.
"""

import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from p2pfl.errors import ScenarioError
from scenarios.report.folder import read_folder
from scenarios.report.page import page
from scenarios.watcher import Watcher

if TYPE_CHECKING:
    from scenarios.build import Experiment
    from scenarios.finished import Record

HOST = "127.0.0.1"
"""Nobody but this machine."""
SHARE = 0.1
"""Of the time may be spent on making pages: the run itself wants the processor."""
LOOKING_S = 3.0
"""Whoever asked within so many seconds is still looking, and waits for the last page."""
LINGER_S = 10.0
"""How long a run that is over waits for such a one."""


class LivePage:
    """The newest page of one run folder, made when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.over = False
        """Whether the folder is complete."""
        self._folder = folder
        self._lock = Lock()
        self._version = 0
        self._made = -1
        self._page = b""
        self._next_s = 0.0

    def version(self) -> int:
        """A number that grows with what the folder holds, but not too fast to keep up with."""
        with self._lock:
            if self.over or monotonic() >= self._next_s:
                self._version = (self._folder / "summary.json").stat().st_mtime_ns
            return self._version

    def whole(self) -> bytes:
        """The page of that version."""
        version = self.version()
        with self._lock:
            if self._made != version:
                began_s = monotonic()
                self._page = page(read_folder(self._folder), str(version)).encode()
                self._made = version
                self._next_s = monotonic() + (monotonic() - began_s) / SHARE
            return self._page


class LiveReport(Watcher):
    """Serves the growing report on this machine, from the run's start until its end."""

    def __init__(self, port: int = 0, say: Callable[[str], None] = print) -> None:
        """Take the port.

        Args:
            port: 0 takes any that is free.
            say: Told where the page is.

        Raises:
            ScenarioError: If the port cannot be had.
        """
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise ScenarioError(
                f"--port {port}: cannot be had on {HOST}: {error.strerror}; 0 takes any free one"
            ) from error
        self.url = f"http://{HOST}:{self._server.server_port}/"
        self._say = say
        self._thread: Thread | None = None

    def begins(self, experiment: "Experiment", folder: Path) -> None:
        """Serve from now on."""
        self._server.live = LivePage(folder)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self._say(f"watch:      {self.url}")

    def ends(self, record: "Record") -> None:
        """Let whoever is looking have the last page."""
        server = self._server
        if server.live is not None:
            server.live.over = True
            if monotonic() - server.asked_s < LOOKING_S:
                server.told.wait(LINGER_S)
        self.stop()

    def stop(self) -> None:
        """Close the port."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """What its handlers share."""

    daemon_threads = True
    live: LivePage | None = None
    asked_s = float("-inf")
    """When somebody last asked for news."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.told = Event()
        """Set when somebody knows that the run is over, and has its last page."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser may go in the midst of an answer; all else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """Answers the three questions that the page asks."""

    server: _Server

    def do_GET(self) -> None:
        """Serve the page, whether there is a newer one, or Plotly."""
        live = self.server.live
        if not self._asked_by_our_name():
            self.send_error(HTTPStatus.FORBIDDEN)
        elif live is None or self.path not in ("/", "/news", "/plotly.js"):
            self.send_error(HTTPStatus.NOT_FOUND)
        elif self.path == "/":
            self._answer("text/html; charset=utf-8", live.whole())
        elif self.path == "/news":
            self._news(live)
        else:
            from plotly.offline import get_plotlyjs

            self._answer("text/javascript; charset=utf-8", get_plotlyjs().encode(), keep=True)

    def _news(self, live: LivePage) -> None:
        """``{"version": "123", "over": false}``: as text, the version is too long for a float."""
        self.server.asked_s = monotonic()
        over, version = live.over, str(live.version())
        self._answer("application/json", json.dumps({"version": version, "over": over}).encode())

    def do_POST(self) -> None:
        """The page tells that it has the last version."""
        self.server.told.set()
        self._answer("text/plain", b"")

    def _asked_by_our_name(self) -> bool:
        """Whether it is for this machine: a page of another site, whose name was made to point
        here, must not read this one."""
        return (self.headers.get("Host") or "").rpartition(":")[0] in (HOST, "localhost")

    def _answer(self, kind: str, body: bytes, keep: bool = False) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=86400" if keep else "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Nothing: the terminal is the run's."""
