"""Waits until other containers have reached a condition, then becomes the command.

    python3 -ISc SOURCE CONFIG COMMAND [ARGUMENT ...]

CONFIG is JSON: {"release": ..., "container": ..., "after": ["container:port:condition"]}.
The condition SUCCESS is left out. Single and double quotes are exchanged.
On a loopback port, the supervisor of each container in `after` sends a line for each fact that has
become true: `lightgate <release> <container> <FACT>`. Python 3.8 and later.
In a deployment that rolls back to an old release, whose CONFIG this still is, the environment has
LIGHTGATE_ROLLBACK, and the name of the deployment's release is in LIGHTGATE_RELEASE.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import sys
import time
from typing import Any, Iterator, NoReturn

NAME = "[A-Za-z0-9._-]{1,128}"
DEPENDENCY = re.compile(f"({NAME}):([0-9]{{1,5}})(?::(START|HEALTHY|COMPLETE))?")
LINE_LIMIT = 512  # bytes; a supervisor sends no longer line


def main() -> int:
    config: dict[str, Any] = {}
    try:
        config = read_config(sys.argv[1])
        command = sys.argv[2:]
        program = command[0]
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        why = f"configuration: {type(error).__name__}: {error}"
        emit(config, "failed", cause="config", error=why[:500])
        return 2
    # As PID 1 a process gets no signal that it has no handler for. The handler raises no
    # exception: Python drops what is raised while an object is closed.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda number, _: os._exit(128 + number))
    # One after the other: a fact once reached stays reached, so the order cannot matter.
    for dependency in config["after"]:
        wait_for(dependency, config)
    emit(config, "open")
    try:
        become(command)
    except OSError as error:
        code = 127 if error.errno == errno.ENOENT else 126
        why = f"cannot run {program!r}: {error.strerror} ({errno.errorcode.get(error.errno or 0)})"
        emit(config, "failed", cause="exec", error=why[:500], exitCode=code)
        return code


def wait_for(dependency: tuple[str, str, str], config: dict[str, Any]) -> None:
    """Return when the container has reached its condition. If it fails, report it and wait on."""
    container, port, condition = dependency
    reported = False
    pause = 0.05
    while True:
        for fact in facts(container, int(port), config["release"]):
            if fact == condition:
                return
            if fact == "FAILED" and not reported:
                reported = True
                emit(config, "failed", cause="dependency", error=f"{container} failed")
        time.sleep(pause)
        pause = min(pause * 2, 1)


def facts(container: str, port: int, release: str) -> Iterator[str]:
    """Yield each fact that the container's supervisor sends, until the connection ends.

    A peer that sends anything else, such as another release's supervisor, is dropped.
    """
    ours = f"lightgate {release} {container} ".encode()
    buffer = b""
    with socket.socket() as peer:
        try:
            # If nothing listens on an ephemeral port, TCP may connect a socket to itself. Such a
            # connection must not occupy the port of the dependency.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            peer.connect(("127.0.0.1", port))
            while peer.getsockname() != peer.getpeername():
                data = peer.recv(LINE_LIMIT)
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    if not line.startswith(ours):
                        return
                    yield line[len(ours) :].decode("ascii", "replace")
                if not data or len(buffer) > LINE_LIMIT:
                    return
        except OSError:
            return  # not there yet, or gone: the caller tries again


def become(command: list[str]) -> NoReturn:
    # Python ignores these two, and programs do not expect to inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    forget_coerced_locale()
    os.execvp(command[0], command)  # noqa: S606


def forget_coerced_locale() -> None:
    """Drop the LC_CTYPE that Python puts into its own environment when the locale is C."""
    try:
        with open("/proc/self/environ", "rb") as given:  # noqa: PTH123
            if b"\0LC_CTYPE=" not in b"\0" + given.read():
                os.environ.pop("LC_CTYPE", None)
    except OSError:
        return


def emit(config: dict[str, Any], event: str, **fields: object) -> None:
    now = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z"
    who = {"release": config.get("release"), "container": config.get("container")}
    line = json.dumps({"lightgate": 1, **who, "event": event, "at": at, **fields}) + "\n"
    try:
        os.write(1, line.encode())
    except OSError:
        return  # nothing reads the output; the app matters more


def read_config(text: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(text.translate({34: 39, 39: 34}))
    if os.environ.get("LIGHTGATE_ROLLBACK"):
        config["release"] = os.environ["LIGHTGATE_RELEASE"]
    after = config["after"]
    if not isinstance(after, list):
        raise TypeError("`after` is not a list")
    for name in (config["release"], config["container"]):
        if not re.fullmatch(NAME, name):
            raise ValueError(f"{name!r} is not a name")
    found = []
    for one in after:
        parts = DEPENDENCY.fullmatch(one)
        if not parts or not 0 < int(parts[2]) < 65536:
            raise ValueError(f"{one!r} is not a container with its port and condition")
        found.append(parts.groups("SUCCESS"))
    return {**config, "after": found}


sys.exit(main())
