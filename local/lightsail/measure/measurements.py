"""The measurements for the open questions of lightsail-facts.md, section 15.

Each one deploys something and returns its observations, and the switches that make the emulator
behave the same way.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.lightsail.measure.session import Lab, MeasurementError, refusal_of

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
_PUBLIC = ("web", 8000)
_HTTP = {"8000": "HTTP"}
_STARTED = "Started 1 new node"


@dataclass(frozen=True, slots=True)
class Answer:
    """The observations, and the switches that make the emulator behave the same way."""

    seen: list[str]
    switches: Mapping[str, object] = field(default_factory=dict)


def exit_zero(lab: Lab) -> Answer:
    """One of two containers exits 0 after 10 s. Does it, its sibling or the deployment end?"""
    return _exit(lab, 0, "exit_zero")


def exit_nonzero(lab: Lab) -> Answer:
    """One of two containers exits 1 after 10 s. Does it, its sibling or the deployment end?"""
    return _exit(lab, 1, "exit_nonzero")


def _exit(lab: Lab, code: int, switch: str) -> Answer:
    wait = lab.seconds(10)
    once = f"import time; print('ran'); time.sleep({wait}); raise SystemExit({code})"
    with lab.service() as name:
        version = _version(lab.deploy(name, {"stay": lab.python(_STAY), "once": lab.python(once)}))
        state, seconds = lab.ended(name, version)
        time.sleep(lab.seconds(60))
        stays, lines = lab.settled_lines(name, ["stay", "once"])
    ran, began = lines.count("ran"), stays.count("stay begins")
    seen = [
        f"the deployment is {state} after {seconds} s",
        f"the one that exits {code} was started {ran} times, its sibling {began} times",
        f"lines: {[line for line in lines if line.startswith('[deployment:')]}",
    ]
    if ran <= 1:
        return Answer(seen, {switch: "tolerate" if state == "ACTIVE" else "fail"})
    scope = "container" if began <= 1 else "node"
    return Answer(seen, {switch: "restart", "exit_scope": scope})


def exit_after_active(lab: Lab) -> Answer:
    """A container that exits 1 an hour into its life: is it started again after ACTIVE?"""
    hour = lab.seconds(1200)
    source = f"import time; print('ran'); time.sleep({hour}); raise SystemExit(1)"
    with lab.service() as name:
        version = _version(lab.deploy(name, {"work": lab.python(source)}))
        state, seconds = lab.ended(name, version)
        time.sleep(hour)
        (lines,) = lab.settled_lines(name, ["work"])
        service = lab.read(name)
    seen = [
        f"the deployment is {state} after {seconds} s; it was started {lines.count('ran')} times",
        f"the service is {service['state']}; lines: {lines}",
    ]
    return Answer([*seen, "no switch: the emulator starts it again for ever"])


def time_to_fail(lab: Lab) -> Answer:
    """How long until FAILED: a failing health check, a crash, no image, no answer at all?"""
    missing = {"image": lab.images.plain.rpartition(":")[0] + ":there-is-no-such-tag"}
    causes: dict[str, dict[str, Any]] = {
        "failing health check": lab.python(_SERVE.format(status=500), ports=_HTTP),
        "crash": lab.python("raise SystemExit(1)", ports=_HTTP),
        "missing image": {**missing, "ports": _HTTP},
        "no answer": lab.python(_SILENT, ports=_HTTP),
    }
    seen: list[str] = []
    switches: dict[str, object] = {}
    for cause, container in causes.items():
        with lab.service() as name:
            version = _version(lab.deploy(name, {"web": container}, _PUBLIC))
            state, seconds = lab.ended(name, version)
            (lines,) = lab.settled_lines(name, ["web"])
        starts = sum(_STARTED in line for line in lines)
        seen.append(f"{cause}: {state} after {seconds} s, {starts} starts, last line {lines[-1:]}")
        if cause == "missing image" and starts:
            switches["relaunch_limit"] = starts
        if cause == "failing health check":
            switches["activation_limit"] = round(seconds)
            switches["unhealthy_node"] = "relaunch" if starts > 1 else "keep"
    return Answer(seen, switches)


def digest(lab: Lab) -> Answer:
    """Is an image named by its ECR digest accepted?"""
    image = _needed(lab.images.by_digest, "--digest-image")
    with lab.service() as name:
        said = refusal_of(lambda: lab.deploy(name, {"web": {"image": image}}))
        if said != "accepted":
            return Answer([said], {"digest_images": "refuse"})
        state, seconds = lab.ended(name, _newest(lab, name))
    return Answer([f"accepted; {state} after {seconds} s"], {"digest_images": "accept"})


def entrypoint(lab: Lab) -> Answer:
    """Does `command` replace the image's ENTRYPOINT, or only its CMD?"""
    image = _needed(lab.images.with_entrypoint, "--entrypoint-image")
    command = ["python3", "-u", "-c", "import time; print('command alone'); time.sleep(9999)"]
    with lab.service() as name:
        lab.ended(name, _version(lab.deploy(name, {"web": {"image": image, "command": command}})))
        (lines,) = lab.settled_lines(name, ["web"])
    if any(line.startswith("entrypoint got") for line in lines):
        return Answer([f"the entrypoint ran: {lines}"], {"command_mode": "cmd"})
    if "command alone" in lines:
        return Answer(["the command ran alone"], {"command_mode": "entrypoint"})
    raise MeasurementError(f"neither the entrypoint nor the command wrote anything: {lines}")


def database(lab: Lab) -> Answer:
    """Does a container reach a private database over the peering of the default VPC?"""
    if lab.database is None:
        raise MeasurementError("needs --database HOST:PORT")
    host, port = lab.database
    source = f"""
import socket, time
try:
    socket.create_connection(({host!r}, {port}), 20).close()
    print("reached")
except OSError as problem:
    print("not reached:", problem)
time.sleep(9999)
"""
    with lab.service() as name:
        lab.ended(name, _version(lab.deploy(name, {"work": lab.python(source)})))
        (lines,) = lab.settled_lines(name, ["work"])
    said = [line for line in lines if "reached" in line]
    return Answer([*said, "no switch: the emulator's way out is --outside"])


def refusals(lab: Lab) -> Answer:
    """The exact errors in PENDING, DEPLOYING, UPDATING, DISABLED and DELETING."""
    seen, texts = [], {}

    def note(state: str, what: str, call: Callable[[], object]) -> str:
        said = refusal_of(call)
        seen.append(f"{state}, {what}: {said}")
        return said

    with lab.service(ready=False) as name:
        containers = {"web": lab.python(_STAY)}
        busy = note("PENDING", "deploy", lambda: lab.deploy(name, containers))
        lab.wait_for(lambda: lab.read(name)["state"] in ("READY", "RUNNING"), "the service")
        version = _version(lab.deploy(name, containers))
        note("DEPLOYING", "deploy", lambda: lab.deploy(name, containers))
        change = {"serviceName": name, "isDisabled": True}
        note("DEPLOYING", "update", lambda: lab.api.update_container_service(**change))
        delete = {"serviceName": name}
        said = note("DEPLOYING", "delete", lambda: lab.api.delete_container_service(**delete))
        if said != "accepted":
            texts["busy_delete_text"] = "transition" if "in a transition state" in said else "busy"
        if said != "accepted":
            lab.ended(name, version)
            lab.wait_for(lambda: lab.read(name)["state"] == "RUNNING", "the service")
            lab.api.update_container_service(**change)
            busy = note("UPDATING", "deploy", lambda: lab.deploy(name, containers))
            lab.wait_for(lambda: lab.read(name)["state"] == "DISABLED", "the service")
            note("DISABLED", "deploy", lambda: lab.deploy(name, containers))
            lab.api.delete_container_service(**delete)
        note("DELETING", "deploy", lambda: lab.deploy(name, containers))
    texts["busy_error_text"] = "wait" if "wait for it to complete" in busy else "minutes"
    return Answer([*seen, "the other texts stand in local/lightsail/model.py"], texts)


def log(lab: Lab) -> Answer:
    """The log's page size, lag, system lines, and an unknown container name."""
    source = "import time\nfor n in range(500): print('line', n)\nprint('end')\ntime.sleep(9999)"
    with lab.service() as name:
        began = time.monotonic()
        lab.deploy(name, {"many": lab.python(source), "quiet": lab.python(_STAY)})
        query = {"serviceName": name, "containerName": "many"}
        lab.wait_for(lambda: lab.api.get_container_log(**query)["logEvents"], "the first line")
        lag = round((time.monotonic() - began) * lab.speed)
        many, quiet = lab.settled_lines(name, ["many", "quiet"])
        page = len(lab.api.get_container_log(**query)["logEvents"])
        end = {**query, "containerName": "quiet", "filterPattern": "nobody-writes-this"}
        has_token = "nextPageToken" in lab.api.get_container_log(**end)
        unknown = {**query, "containerName": "never-there"}
        said = refusal_of(lambda: lab.api.get_container_log(**unknown))
        lab.ended(name, _newest(lab, name))
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


def state_detail(lab: Lab) -> Answer:
    """The sequence of states through a success and a failure; does nextDeployment say FAILED?"""
    seen, failed_visible, at_create = [], False, False
    with lab.service() as name:
        for source in (_STAY, "raise SystemExit(1)"):
            answer = lab.deploy(name, {"web": lab.python(source)})
            at_create = at_create or "stateDetail" in answer
            sequence: list[str] = []
            while True:
                service = lab.read(name)
                upcoming = service.get("nextDeployment", {}).get("state", "-")
                code = service.get("stateDetail", {}).get("code", "-")
                step = f"{service['state']}/{code}/next {upcoming}"
                if sequence[-1:] != [step]:
                    sequence.append(step)
                failed_visible = failed_visible or upcoming == "FAILED"
                if upcoming != "ACTIVATING" and service["state"] != "DEPLOYING":
                    break
                time.sleep(max(0.005, lab.seconds(1)))
            seen.append(" -> ".join(sequence))
            lab.ended(name, _version(answer))
    return Answer(
        seen, {"next_failed_visible": failed_visible, "state_detail_at_create": at_create}
    )


def scale(lab: Lab) -> Answer:
    """Scale 2: which lines, and does a change of capacity use up a version?"""
    with lab.service() as name:
        lab.ended(name, _version(lab.deploy(name, {"web": lab.python(_STAY)})))
        lab.wait_for(lambda: lab.read(name)["state"] == "RUNNING", "the service")
        lab.api.update_container_service(serviceName=name, scale=2)
        lab.wait_for(lambda: lab.read(name)["state"] == "RUNNING", "the new scale")
        newest = _newest(lab, name)
        (lines,) = lab.settled_lines(name, ["web"])
    return Answer([f"newest version {newest}", *lines], {"capacity_takes_version": newest > 1})


def environment_size(lab: Lab) -> Answer:
    """How large may a container's environment be? Doubled until it is refused."""
    with lab.service() as name:
        size = 1024
        while size <= 2**21:
            container = lab.python(_STAY, environment={"LARGE": "x" * size})
            said = refusal_of(lambda given=container: lab.deploy(name, {"web": given}))  # type: ignore[misc]
            if said != "accepted":
                return Answer([f"{size} bytes: {said}", "no switch"])
            lab.ended(name, _newest(lab, name))
            lab.wait_for(lambda: "nextDeployment" not in lab.read(name), "the end")
            size *= 4
    return Answer([f"{size // 4} bytes are accepted; not tried further", "no switch"])


QUESTIONS: dict[str, Callable[[Lab], Answer]] = {
    "exit-zero": exit_zero,
    "exit-nonzero": exit_nonzero,
    "exit-after-active": exit_after_active,
    "time-to-fail": time_to_fail,
    "digest": digest,
    "entrypoint": entrypoint,
    "database": database,
    "refusals": refusals,
    "log": log,
    "state-detail": state_detail,
    "scale": scale,
    "environment-size": environment_size,
}


def _version(service: Mapping[str, Any]) -> int:
    return int(service["nextDeployment"]["version"])


def _newest(lab: Lab, name: str) -> int:
    listed = lab.api.get_container_service_deployments(serviceName=name)["deployments"]
    return max(int(each["version"]) for each in listed)


def _needed(image: str | None, option: str) -> str:
    if image is None:
        raise MeasurementError(f"needs {option}")
    return image
