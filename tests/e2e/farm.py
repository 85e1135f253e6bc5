"""The example app as its owner has it: released well and badly, and asked at its public URL."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightgate.names import pin_tag
from local.cloud import account
from local.cloud.registry import Image
from local.demo import crops
from tests.crops.releases import Answer, Site
from tests.e2e.by_hand import RELEASE, Ended, begin, end
from tests.e2e.conftest import Ready
from tests.e2e.gate_lines import gate_lines
from tests.e2e.schema import schema
from tests.support import local_cloud

# The looks of a watch follow on each other faster here than on AWS, and the period is in real
# seconds: this is enough for an app that does well, and the other until an app has shown that it
# does not.
GOOD_WATCH, LONG_WATCH = 2, 90


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a release that goes wrong leaves alone."""

    version: int
    schema: object


@dataclass(frozen=True, slots=True)
class Farm:
    """The app on a stack. It speaks to nobody else's releases meanwhile."""

    ready: Ready

    @property
    def site(self) -> Site:
        return Site(self.ready.url.rstrip("/"))

    def specify(
        self,
        *,
        watch: int = GOOD_WATCH,
        write: Mapping[str, Any] | None = None,
        migrate: Mapping[str, Any] | None = None,
        migrations: Mapping[str, Any] | None = None,
        health_check: Mapping[str, Any] | None = None,
        reverse: bool = False,
    ) -> None:
        """From now on the spec is the example's, with a quick preflight and a watch of the page."""
        verification = {"watchSeconds": watch, "path": "/", **({"write": write} if write else {})}
        spec = crops.spec() | {"verification": verification, "migrations": migrations or {}}
        spec["rollback"] = {"reverse": reverse}
        spec["publicEndpoint"]["healthCheck"] |= health_check or {}
        containers = spec["containers"]
        containers["migrate"]["healthCheck"] |= {"interval": 1, "retries": 2}
        containers["migrate"] |= migrate or {}
        containers["web"]["command"] += ["--access-logfile", "-"]
        account.put_app(self.ready.cloud.client("ssm"), crops.APP, spec)

    def release(
        self, name: str, image: Image | None = None, within: timedelta = RELEASE, **request: Any
    ) -> Ended:
        return end(self.ready, begin(self.ready, name, image, **request), within)

    def ask_for(self, request: Mapping[str, Any]) -> Ended:
        """What a person starts with this input, word by word as a message has it or otherwise."""
        return end(self.ready, self.start(request))

    def start(self, request: Mapping[str, Any]) -> str:
        machine = self.ready.cloud.client("stepfunctions")
        return local_cloud.start(machine, self.ready.stack.state_machine_arn, request)

    @property
    def version(self) -> int:
        """The version that serves."""
        lightsail = self.ready.cloud.client("lightsail")
        [service] = lightsail.get_container_services(serviceName=crops.APP)["containerServices"]
        current = service["currentDeployment"]
        assert current["state"] == "ACTIVE"
        version: int = current["version"]
        return version

    def versions_of(self, name: str) -> list[int]:
        """The deployments that have served this release of the example, the oldest first."""
        lightsail = self.ready.cloud.client("lightsail")
        found = lightsail.get_container_service_deployments(serviceName=crops.APP)["deployments"]
        pin = pin_tag(crops.image(name).digest)
        return sorted(
            each["version"]
            for each in found
            if each["state"] != "FAILED" and each["containers"]["web"]["image"].endswith(pin)
        )

    @property
    def state(self) -> State:
        return State(version=self.version, schema=schema(self.ready))

    def events(self, container: str, since: datetime) -> set[str]:
        """What the gate in the container has told since then."""
        return {line["event"] for line in gate_lines(self.ready, since, container)}

    def columns(self) -> set[str]:
        """Those of the harvests, as the database itself tells them."""
        [columns, *_] = schema(self.ready)
        return {column for table, column, *_ in columns if table == "harvests_harvest"}

    def read(self) -> Answer:
        return self.site.get()

    def write(self) -> Answer:
        return self.site.post(crop="leek", kilograms=3)


def taking_back(release: str) -> str:
    """What the message advises to start after a release that applied one migration to v2."""
    command = ["python", "manage.py", "migrate", "harvests", "0004_fill_season"]
    digest = crops.image(release).digest
    return json.dumps({"app": crops.APP, "digest": digest, "command": command})


def with_v2(ready: Ready) -> Farm:
    """v2 serves, as its first version, and has shown that it does well."""
    farm = Farm(ready)
    farm.specify()
    first = farm.release("v2")
    assert first.status == "SUCCEEDED", first.message["text"]
    assert first.message["watched"]
    return farm
