"""The page of the apps and releases on this machine, at a loopback address."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from lightgate_cli.connection import Connection, Target
from lightgate_cli.errors import CommandError
from lightgate_cli.reading.gather import all_apps
from lightgate_cli.reading.release_facts import read_release
from lightgate_cli.report import overview_of, page_of
from lightgate_report.pages import OverviewPage, ReleasePage
from lightgate_report.render import Frame, render_document
from local.cloud.processes import LOOPBACK


@contextmanager
def serving_the_page() -> Iterator[str]:
    """The URL of the page. A local cloud has announced itself."""
    connection = Connection(Target(local=True))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                page = _page(urlsplit(self.path).path, connection)
            except CommandError as error:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", str(error))
            else:
                html = render_document(page, Frame(address=""))
                self._answer(HTTPStatus.OK, "text/html", html)

        def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The terminal is the demo's."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{LOOPBACK}:{server.server_address[1]}/"
        finally:
            server.shutdown()


def _page(path: str, connection: Connection) -> OverviewPage | ReleasePage:
    """Raises CommandError: there is no such release."""
    match [unquote(part) for part in path.strip("/").split("/")]:
        case [app, release]:
            return page_of(read_release(release, app, connection), connection)
    return overview_of(all_apps(connection), connection.now(), title="Apps")
