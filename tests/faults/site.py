"""The app behind the public URL: a real HTTP server, which answers for the version that serves."""

import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

SERVER = "the app's server"


class Site:
    """Answers well, or with an error where `does_well` says so."""

    def __init__(self, does_well: Callable[[], bool]) -> None:
        self._does_well = does_well
        self.url = ""
        self._begin()
        # Threads stay behind in the parent.
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/"
        serve = threading.Thread(
            target=server.serve_forever, name=SERVER, args=(3600,), daemon=True
        )
        serve.start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        is_good = self._does_well()
        body = b"ok" if is_good else b"Internal Server Error"
        request.send_response(200 if is_good else 500)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
