"""The images that the tests deploy: a small web server, and commands of one line."""

from typing import Any

from tests.emulator.registry import HOST, Registry

SERVER = '''\
"""A web server: /env, /pid, /slow, POST /echo, /drop; says TAG everywhere else."""
import json, os, signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, text, status=200):
        body = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/env":
            self.answer(json.dumps(dict(os.environ)))
        elif self.path == "/headers":
            self.answer(json.dumps({k.lower(): v for k, v in self.headers.items()}))
        elif self.path == "/pid":
            self.answer(f"{os.getpid()} {os.getcwd()}")
        elif self.path == "/slow":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number in range(10):
                self.wfile.write(b"2\\r\\n%d\\n\\r\\n" % number)
                time.sleep(0.1)
            self.wfile.write(b"0\\r\\n\\r\\n")
        elif self.path == "/sick" or os.environ.get("SICK"):
            self.answer("sick", 500)
        else:
            self.answer(os.environ.get("TAG", "?"))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(body if self.path == "/echo" else f"{len(body)} bytes")

    def log_message(self, *args):
        pass


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
print("listening on", port, flush=True)
server.serve_forever()
'''


def push_images(registry: Registry) -> None:
    registry.push(
        "web",
        "latest",
        {"app/server.py": "broken", "app/old.txt": "gone"},
        {"app/server.py": SERVER, "app/.wh.old.txt": ""},
        Cmd=["python3", "server.py"],
        Env=["FROM_IMAGE=yes", "PATH=/image/bin"],
    )


def web(tag: str = "v1", *command: str, port: int = 8000, **environment: str) -> dict[str, Any]:
    """A container of the web server."""
    return {
        "image": f"{HOST}/web:latest",
        "command": list(command) or ["python3", "server.py", str(port)],
        "environment": {"TAG": tag, **environment},
        "ports": {str(port): "HTTP"},
    }


def script(source: str, **environment: str) -> dict[str, Any]:
    """A container that runs some Python."""
    return {
        "image": f"{HOST}/web:latest",
        "command": ["python3", "-u", "-c", source],
        "environment": environment,
    }
