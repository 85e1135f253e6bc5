"""The event of a push: created as ECR does, delivered as EventBridge does.

The engine stores images and rules, but sends no event when an image arrives. A client cannot send
one either, because the source `aws.ecr` is reserved.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.cloud.credentials import ACCOUNT, REGION

_ATTEMPTS = 6
_FIRST_PAUSE = timedelta(seconds=0.2)
# EventBridge retries only these errors, and failures of the service.
_WORTH_RETRYING = {"ThrottlingException", "TooManyRequestsException", "ServiceException"}

logger = logging.getLogger(__name__)

type Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One pushed manifest. `tag` is empty if it was pushed by its digest."""

    repository: str
    tag: str
    digest: str
    manifest_media_type: str
    artifact_media_type: str

    def event(self, *, identity: uuid.UUID, at: datetime) -> Event:
        """The `ECR Image Action` event as ECR sends it."""
        return {
            "version": "0",
            "id": str(identity),
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": ACCOUNT,
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [],
            "detail": {
                "result": "SUCCESS",
                "repository-name": self.repository,
                "image-digest": self.digest,
                "action-type": "PUSH",
                "image-tag": self.tag,
                "manifest-media-type": self.manifest_media_type,
                "artifact-media-type": self.artifact_media_type,
            },
        }


class Deliverer:
    """Delivers push events to the Lambda targets of the rules deployed in the engine."""

    def __init__(
        self, client: Callable[[str], Any], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`client` makes a boto3 client of a service of the engine."""
        self._events = client("events")
        self._lambda = client("lambda")
        self._sqs = client("sqs")
        self._sleep = sleep

    def deliver(self, push: Push) -> int:
        """Deliver the event to every target of every matching rule. Returns the number of targets.

        The event of an unreachable target goes to the target's dead-letter queue. This method
        raises no failure, because a push succeeds whatever becomes of its event.
        """
        delivered = self.send(push.event(identity=uuid.uuid4(), at=datetime.now(UTC)))
        logger.info("%s: delivered to %d targets", push, delivered)
        return delivered

    def send(self, event: Event) -> int:
        """Deliver this event, such as one that was delivered before."""
        delivered = 0
        try:
            for target in self._matching_targets(event):
                delivered += self._deliver_to(target, event)
        except (BotoCoreError, ClientError):
            logger.exception("the rules could not be read")
        return delivered

    def _matching_targets(self, event: Event) -> Iterator[dict[str, Any]]:
        text = json.dumps(event)
        for rule in _pages(self._events.list_rules, "Rules"):
            if rule.get("State") != "ENABLED" or "EventPattern" not in rule:
                continue
            pattern = rule["EventPattern"]
            if self._events.test_event_pattern(EventPattern=pattern, Event=text)["Result"]:
                yield from _pages(self._events.list_targets_by_rule, "Targets", Rule=rule["Name"])

    def _deliver_to(self, target: dict[str, Any], event: Event) -> bool:
        arn: str = target["Arn"]
        if not arn.startswith("arn:aws:lambda:"):
            logger.warning("%s is no Lambda function: not delivered", arn)
            return False
        invocation = {"FunctionName": arn, "InvocationType": "Event", "Payload": json.dumps(event)}
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(_FIRST_PAUSE.total_seconds() * 2 ** (attempt - 1))
            try:
                self._lambda.invoke(**invocation)
            except (BotoCoreError, ClientError) as error:
                logger.warning("%s attempt %d: %s", arn, attempt + 1, error)
                if not _worth_retrying(error):
                    break
            else:
                return True
        self._send_to_dead_letters(target, event)
        return False

    def _send_to_dead_letters(self, target: dict[str, Any], event: Event) -> None:
        queue_arn = target.get("DeadLetterConfig", {}).get("Arn")
        if queue_arn is None:
            logger.error(
                "%s: the event is lost, because its rule has no dead-letter queue", target["Arn"]
            )
            return
        queue = self._sqs.get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]
        self._sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))


def _worth_retrying(error: BotoCoreError | ClientError) -> bool:
    if not isinstance(error, ClientError):
        return True  # no answer at all
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status >= 500 or error.response["Error"]["Code"] in _WORTH_RETRYING


def _pages(call: Callable[..., dict[str, Any]], member: str, **parameters: str) -> Iterator[Any]:
    # boto3 has no paginator for these calls.
    while True:
        page = call(**parameters)
        yield from page[member]
        if not page.get("NextToken"):
            return
        parameters["NextToken"] = page["NextToken"]
