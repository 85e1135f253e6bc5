"""Debian's Chromium without a window, driven by its DevTools protocol."""

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from lightgate_report.render import Theme

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_START_SECONDS = 60
_CALL_SECONDS = 60
_TALL = 900


class Browser:
    """One page of a running browser. Each call waits until it is carried out."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: Any, session: Any) -> None:
        self._loop, self._socket, self._session = loop, socket, session
        self._numbers = itertools.count(1)

    def open(self, html: str, *, width: int, theme: Theme) -> None:
        """Show the document at this width, on a system that prefers this theme."""
        metrics = {"width": width, "height": _TALL, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)
        preferred = [{"name": "prefers-color-scheme", "value": theme.value}]
        self._call("Emulation.setEmulatedMedia", features=preferred)
        with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as file:
            file.write(html)
            file.flush()
            self._call("Page.navigate", url=Path(file.name).as_uri())
            self.evaluate(
                "new Promise(done => document.readyState === 'complete' ? done() : "
                "addEventListener('load', done))"
            )

    def evaluate(self, script: str) -> Any:
        """The value of the script, once it is known. It must be JSON."""
        answer = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page, in the format of the path: .png or .webp."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        told = {"format": path.suffix[1:], "clip": clip, "captureBeyondViewport": True}
        shot = self._call("Page.captureScreenshot", **told)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._loop.run_until_complete(
            asyncio.wait_for(self._answer(method, parameters), _CALL_SECONDS)
        )

    async def _answer(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                answer: dict[str, Any] = message["result"]
                return answer


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Raises AssertionError if there is no Chromium."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="lightgate-chromium-") as profile:
        options = ["--headless=new", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
        # Chromium refuses its sandbox to root. The pages are our own.
        if os.geteuid() == 0:
            options.append("--no-sandbox")
        process = subprocess.Popen(
            [
                *(CHROMIUM, *options, "--remote-debugging-port=0", "--hide-scrollbars"),
                *(f"--user-data-dir={profile}", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with asyncio.Runner() as runner:
                loop = runner.get_loop()
                port = _port(Path(profile) / "DevToolsActivePort", process)
                session, socket = loop.run_until_complete(_connect(port))
                try:
                    browser = Browser(loop, socket, session)
                    yield browser
                finally:
                    loop.run_until_complete(socket.close())
                    loop.run_until_complete(session.close())
        finally:
            process.terminate()
            process.wait()


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError(f"Chromium does not start (exit code {process.poll()})")


async def _connect(port: int) -> tuple[Any, Any]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        [address, *_] = [
            each["webSocketDebuggerUrl"] for each in await answer.json() if each["type"] == "page"
        ]
    # A screenshot of a tall page is a message of megabytes.
    return session, await session.ws_connect(address, max_msg_size=0)
