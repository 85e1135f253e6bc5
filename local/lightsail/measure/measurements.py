"""The measurements of docs/lightsail.md, "What to measure on a real account".

Each one deploys something and returns its observations, and the switches that make the emulator
behave the same way.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.lightsail.measure.session import MeasurementError, Session, why_refused

_STAY = "import time; print('stay begins'); time.sleep(9999)"
_SERVE = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({status})
        self.end_headers()
http.server.HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
_SILENT = """
import socket, time
listener = socket.create_server(("0.0.0.0", 8000))
while True:
    time.sleep(60)
"""
_DATABASE = """
import socket, time
try:
    socket.create_connection({address}, 20).close()
    print("reached")
except OSError as problem:
    print("not reached:", problem)
time.sleep(9999)
"""
_PUBLIC = ("web", 8000)
_HTTP = {"8000": "HTTP"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The observations, and the switches that make the emulator behave the same way."""

    seen: list[str]
    switches: Mapping[str, object] = field(default_factory=dict)


def exit_zero(session: Session) -> Answer:
    """One of two containers exits 0 after 10 s. Does it, its sibling or the deployment end?"""
    return _exit(session, 0, "exit_zero")


def exit_nonzero(session: Session) -> Answer:
    """One of two containers exits 1 after 10 s. Does it, its sibling or the deployment end?"""
    return _exit(session, 1, "exit_nonzero")


def _exit(session: Session, code: int, switch: str) -> Answer:
    wait = session.seconds(10)
    once = f"import time; print('ran'); time.sleep({wait}); raise SystemExit({code})"
    with session.service() as name:
        containers = {"stay": session.python(_STAY), "once": session.python(once)}
        ended = session.deploy_and_wait(name, containers)
        time.sleep(session.seconds(60))
        stays, lines = session.settled_lines(name, ["stay", "once"])
    ran, began = lines.count("ran"), stays.count("stay begins")
    seen = [
        f"the deployment is {ended.state} after {ended.seconds} s",
        f"the container that exits {code} was started {ran} times, its sibling {began} times",
        f"lines: {[line for line in lines if line.startswith('[deployment:')]}",
    ]
    if ran <= 1:
        return Answer(seen, {switch: "tolerate" if ended.state == "ACTIVE" else "fail"})
    return Answer(seen, {switch: "restart", "exit_scope": "container" if began <= 1 else "node"})


def exit_after_active(session: Session) -> Answer:
    """A container exits 1 after 20 minutes. Is it started again after ACTIVE?"""
    life = session.seconds(1200)
    source = f"import time; print('ran'); time.sleep({life}); raise SystemExit(1)"
    with session.service() as name:
        ended = session.deploy_and_wait(name, {"work": session.python(source)})
        time.sleep(life)
        (lines,) = session.settled_lines(name, ["work"])
        state = session.read(name)["state"]
    return Answer(
        [
            f"the deployment is {ended.state} after {ended.seconds} s; "
            f"it was started {lines.count('ran')} times",
            f"the service is {state}; lines: {lines}",
            "no switch: the emulator starts it again for ever",
        ]
    )


def time_to_fail(session: Session) -> Answer:
    """How long until FAILED: a failing health check, a crash, no image, no answer at all?"""
    missing = session.images.plain.rpartition(":")[0] + ":there-is-no-such-tag"
    causes: dict[str, dict[str, Any]] = {
        "failing health check": session.python(_SERVE.format(status=500), ports=_HTTP),
        "crash": session.python("raise SystemExit(1)", ports=_HTTP),
        "missing image": {"image": missing, "ports": _HTTP},
        "no answer": session.python(_SILENT, ports=_HTTP),
    }
    seen: list[str] = []
    switches: dict[str, object] = {}
    for cause, container in causes.items():
        with session.service() as name:
            ended = session.deploy_and_wait(name, {"web": container}, _PUBLIC)
            (lines,) = session.settled_lines(name, ["web"])
        starts = sum("Started 1 new node" in line for line in lines)
        seen.append(
            f"{cause}: {ended.state} after {ended.seconds} s, {starts} starts, "
            f"last line {lines[-1:]}"
        )
        if cause == "missing image" and starts:
            switches["relaunch_limit"] = starts
        if cause == "failing health check":
            switches["activation_limit"] = round(ended.seconds)
            switches["unhealthy_node"] = "relaunch" if starts > 1 else "keep"
    return Answer(seen, switches)


def digest(session: Session) -> Answer:
    """Is an image named by its ECR digest accepted?"""
    image = _needed(session.images.by_digest, "--digest-image")
    with session.service() as name:
        said = why_refused(lambda: session.deploy(name, {"web": {"image": image}}))
        if said != "accepted":
            return Answer([said], {"digest_images": "refuse"})
        ended = session.end_of_newest(name)
    seen = f"accepted; {ended.state} after {ended.seconds} s"
    return Answer([seen], {"digest_images": "accept"})


def entrypoint(session: Session) -> Answer:
    """Does `command` replace the image's ENTRYPOINT, or only its CMD?"""
    image = _needed(session.images.with_entrypoint, "--entrypoint-image")
    command = ["python3", "-u", "-c", "import time; print('command alone'); time.sleep(9999)"]
    with session.service() as name:
        session.deploy_and_wait(name, {"web": {"image": image, "command": command}})
        (lines,) = session.settled_lines(name, ["web"])
    if any(line.startswith("entrypoint got") for line in lines):
        return Answer([f"the entrypoint ran: {lines}"], {"command_mode": "cmd"})
    if "command alone" in lines:
        return Answer(["the command ran alone"], {"command_mode": "entrypoint"})
    raise MeasurementError(f"neither the entrypoint nor the command wrote anything: {lines}")


def database(session: Session) -> Answer:
    """Does a container reach a private database over the peering of the default VPC?"""
    source = _DATABASE.format(address=_needed(session.database, "--database HOST:PORT"))
    with session.service() as name:
        session.deploy_and_wait(name, {"work": session.python(source)})
        (lines,) = session.settled_lines(name, ["work"])
    said = [line for line in lines if "reached" in line]
    return Answer([*said, "no switch: the emulator opens ports with --outside"])


def refusals(session: Session) -> Answer:
    """The exact errors in PENDING, DEPLOYING, UPDATING, DISABLED and DELETING."""
    seen, switches = [], {}
    with session.service(ready=False) as name:
        change, delete = {"serviceName": name, "isDisabled": True}, {"serviceName": name}
        calls: dict[str, Callable[[], object]] = {
            "deploy": lambda: session.deploy(name, {"web": session.python(_STAY)}),
            "update": lambda: session.api.update_container_service(**change),
            "delete": lambda: session.api.delete_container_service(**delete),
        }

        def note(state: str, call: str) -> str:
            said = why_refused(calls[call])
            seen.append(f"{state}, {call}: {said}")
            return said

        busy = note("PENDING", "deploy")
        session.wait_for_state(name, "READY", "RUNNING")
        calls["deploy"]()
        note("DEPLOYING", "deploy")
        note("DEPLOYING", "update")
        said = note("DEPLOYING", "delete")
        if said != "accepted":
            is_transition = "in a transition state" in said
            switches["busy_delete_text"] = "transition" if is_transition else "busy"
            session.end_of_newest(name)
            session.wait_for_state(name, "RUNNING")
            calls["update"]()
            busy = note("UPDATING", "deploy")
            session.wait_for_state(name, "DISABLED")
            note("DISABLED", "deploy")
            calls["delete"]()
        note("DELETING", "deploy")
    switches["busy_error_text"] = "wait" if "wait for it to complete" in busy else "minutes"
    return Answer([*seen, "the other texts are in local/lightsail/model.py"], switches)


def log(session: Session) -> Answer:
    """The log's page size, lag, system lines, and an unknown container name."""
    source = "import time\nfor n in range(500): print('line', n)\nprint('end')\ntime.sleep(9999)"
    with session.service() as name:

        def read(container: str = "many", **more: str) -> Any:  # noqa: ANN401 - boto3
            query = {"serviceName": name, "containerName": container, **more}
            return session.api.get_container_log(**query)

        began = time.monotonic()
        session.deploy(name, {"many": session.python(source), "quiet": session.python(_STAY)})
        session.wait_for(lambda: read()["logEvents"], "the first line")
        lag = round((time.monotonic() - began) * session.speed)
        many, quiet = session.settled_lines(name, ["many", "quiet"])
        page = len(read()["logEvents"])
        has_token = "nextPageToken" in read("quiet", filterPattern='"no such line"')
        said = why_refused(lambda: read("never-there"))
        session.end_of_newest(name)
    both = all(any(line.startswith("[deployment:") for line in each) for each in (many, quiet))
    return Answer(
        [
            f"first line readable after about {lag} s, {page} events on the first page",
            f"an unknown container: {said}; system lines in both logs: {both}",
        ],
        {
            "log_page_size": page,
            "log_lag": lag,
            "unknown_container_log": "empty" if said == "accepted" else "refuse",
            "system_lines": "every" if both else "first",
            "log_end": "same-token" if has_token else "no-token",
        },
    )


def state_detail(session: Session) -> Answer:
    """The sequence of states through a success and a failure. Is nextDeployment FAILED?"""
    seen, failed_visible, at_create = [], False, False
    with session.service() as name:
        for source in (_STAY, "raise SystemExit(1)"):
            answer = session.deploy(name, {"web": session.python(source)})
            at_create = at_create or "stateDetail" in answer
            sequence: list[str] = []
            while True:
                service = session.read(name)
                upcoming = service.get("nextDeployment", {}).get("state", "-")
                code = service.get("stateDetail", {}).get("code", "-")
                step = f"{service['state']}/{code}/next {upcoming}"
                if sequence[-1:] != [step]:
                    sequence.append(step)
                failed_visible = failed_visible or upcoming == "FAILED"
                if upcoming != "ACTIVATING" and service["state"] != "DEPLOYING":
                    break
                time.sleep(max(0.005, session.seconds(1)))
            seen.append(" -> ".join(sequence))
            session.end_of_newest(name)
    return Answer(
        seen, {"next_failed_visible": failed_visible, "state_detail_at_create": at_create}
    )


def scale(session: Session) -> Answer:
    """Scale 2: which lines, and does a change of capacity use up a version?"""
    with session.service() as name:
        session.deploy_and_wait(name, {"web": session.python(_STAY)})
        session.wait_for_state(name, "RUNNING")
        session.api.update_container_service(serviceName=name, scale=2)
        session.wait_for_state(name, "RUNNING")
        newest = session.newest_version(name)
        (lines,) = session.settled_lines(name, ["web"])
    return Answer([f"newest version {newest}", *lines], {"capacity_takes_version": newest > 1})


def environment_size(session: Session) -> Answer:
    """How large may a container's environment be? Quadrupled until it is refused."""
    size = 1024
    with session.service() as name:
        while size <= 2**21:
            web = session.python(_STAY, environment={"LARGE": "x" * size})
            said = why_refused(lambda given=web: session.deploy(name, {"web": given}))  # type: ignore[misc]
            if said != "accepted":
                return Answer([f"{size} bytes: {said}", "no switch"])
            session.end_of_newest(name)
            session.wait_for(lambda: "nextDeployment" not in session.read(name), "the end")
            size *= 4
    return Answer([f"{size // 4} bytes are accepted; not tried further", "no switch"])


MEASUREMENTS: dict[str, Callable[[Session], Answer]] = {
    measure.__name__.replace("_", "-"): measure
    for measure in (
        *(exit_zero, exit_nonzero, exit_after_active, time_to_fail, digest, entrypoint),
        *(database, refusals, log, state_detail, scale, environment_size),
    )
}


def _needed[T](value: T | None, option: str) -> T:
    if value is None:
        raise MeasurementError(f"needs {option}")
    return value
