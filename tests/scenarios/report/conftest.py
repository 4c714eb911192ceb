"""Runs whose reports are looked at, and a real browser, spoken to over its debugging pipe."""

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scenarios.loader import load
from scenarios.report.page import write_report
from scenarios.runner import Record, run
from scenarios.watcher import Watcher

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
READY = "document.documentElement.dataset.state === 'ready'"
HANG_S = 600
"""A guard against a browser that hangs, not a bound on its speed."""

SMALL = (
    "runtime.executor=inline", "model={kind: logistic}", "data.train_samples=400",
    "data.test_samples=100", "allow_disconnected=true",
)  # fmt: skip
RUNS = {
    "p2p": (
        "rounds=6", "topology={kind: random_regular, peers: 8, degree: 4}",
        "defense={kind: gpd, first_window: 2, pause: 1, window: 2}", "attack={kind: backdoor}",
        "record.messages=true",
    ),
    "server": (
        "rounds=4", "topology={kind: clients, peers: 7}", "adversaries={count: 2}",
        "attack={kind: alie}", "server={strategy: {kind: flame}}",
    ),
    "two hundred": (
        "rounds=2", "topology={kind: random_regular, peers: 200, degree: 6}",
        "adversaries={count: 30}", "data.train_samples=800",
    ),
    "one benign": (
        "rounds=3", "topology={kind: complete, peers: 4}", "adversaries={count: 3}",
        "defense={kind: rule, rule: {kind: krum, f: 1}}",
    ),
    "aborted": ("rounds=50",),
    "aborted at once": ("rounds=50",),
    "nobody hostile": ("rounds=1", "adversaries=null", "evaluate.every=0"),
}  # fmt: skip
"""Of every kind that a page must show, as changes of the quickstart."""


class Stop(Watcher):
    """Ctrl-C after so many rounds of single peers."""

    def __init__(self, after: int) -> None:
        self.left = after

    def ready(self, startup_s: float) -> None:
        if not self.left:
            raise KeyboardInterrupt

    def round_over(self, peer: int, round_: int) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Record]:
    """``reported("server")``: that run, with its report; each is run once."""

    @cache
    def make(name: str) -> Record:
        loaded = load("quickstart", [*SMALL, *RUNS[name]])
        watcher = {"aborted": Stop(25), "aborted at once": Stop(0)}.get(name)
        out = tmp_path_factory.mktemp("reported") / "run"
        record = run(loaded, out=out, watcher=watcher, picture=False)
        write_report(record.folder)
        return record

    return make


class Browser:
    """A headless Chromium with one page at a time."""

    def __init__(self, binary: str, profile: Path) -> None:
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()
        command = [
            binary, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage",
            "about:blank",
        ]  # fmt: skip

        def as_three_and_four() -> None:  # where Chromium looks for its pipe
            to, back = os.dup(to_read), os.dup(from_write)
            os.dup2(to, 3)
            os.dup2(back, 4)

        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=as_three_and_four, close_fds=False,
        )  # fmt: skip
        os.close(to_read)
        os.close(from_write)
        self._to, self._from = to_write, from_read
        self._guard = threading.Timer(HANG_S, self._process.kill)
        self._guard.start()
        self._said = b""
        self._count = 0
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer; what happens meanwhile goes to ``events``."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._said:
            piece = os.read(self._from, 1 << 16)
            assert piece, "the browser is gone"
            self._said += piece
        line, _, self._said = self._said.partition(b"\0")
        return dict(json.loads(line))

    def open(
        self,
        path: Path | str,
        width: int = 1280,
        phone: bool = False,
        until: str = READY,
        at: str = "",
        before: str = "",
    ) -> None:
        """Open a file, or an address, in a new page, and wait until all its charts are drawn.

        ``until`` is another condition to wait for, ``at`` the part of the page to open, and
        ``before`` a script that runs before the page's own.
        """
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.session, self.events = session, []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Performance.enable", timeDomain="threadTicks")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        address = path if isinstance(path, str) else path.resolve().as_uri()
        self.call("Page.navigate", url=address + at)
        while not any(event.get("method") == "Page.domContentEventFired" for event in self.events):
            self.events.append(self._next())
        self.wait_for(until)

    def seconds(self) -> float:
        """What the page has cost the browser's main thread until now, without waiting."""
        metrics = self.call("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in metrics if each["name"] == "ThreadTime")

    def do(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of its promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until a condition holds; asked again at every frame that the page draws."""
        self.do(
            "new Promise(done => { const look = () => "
            f"({condition}) ? done() : setTimeout(look, 20); look(); }})"
        )

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move the mouse, or press or release its button."""
        button = "none" if kind == "mouseMoved" else "left"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def complaints(self) -> list[str]:
        """All that the page's console and the browser had to say of it."""
        wanted = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(e["params"]) for e in self.events if e.get("method") in wanted]

    def asked_for(self) -> list[str]:
        """Addresses that the page loaded, but for parts of itself."""
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        urls = [str(event["params"]["request"]["url"]) for event in sent]
        return [url for url in urls if not url.startswith(("data:", "blob:"))]

    def screenshot(self, path: Path, whole: bool = True) -> Path:
        """A picture of the page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def print(self, path: Path) -> Path:
        """The page as a PDF."""
        sheet = self.call(
            "Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.7
        )
        path.write_bytes(base64.b64decode(sheet["data"]))
        return path

    def close(self) -> None:
        self._guard.cancel()
        self._process.terminate()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    opened = Browser(CHROMIUM, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()
