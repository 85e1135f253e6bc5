"""Check that the SNS topic of this stack has confirmed subscribers.

A topic without subscribers cannot report that. So each release has the problem in its message and
its record, and the log and a metric show it between releases.
"""

import shlex
from collections.abc import Sequence

from lightgate.aws.sns import Subscription
from lightgate.errors import UnreachableError
from lightgate.operations.metrics import subscription_problems
from lightgate.runtime import Runtime


def check_subscribers(runtime: Runtime) -> list[str]:
    """The problems with the subscriptions, as sentences. Each is logged, and a metric counts them.

    It raises nothing: an outage of SNS becomes a sentence as well.
    """
    try:
        subscriptions = runtime.topic.subscriptions()
    except UnreachableError as error:
        runtime.logger.warning("the subscriptions cannot be read", why=str(error))
        return [f"Whether the messages of Lightgate reach anyone is unknown: {error}."]
    found = _problems(subscriptions, runtime.settings.notification_email, runtime.topic.arn)
    for problem in found:
        runtime.logger.error("messages may reach nobody", why=problem)
    subscription_problems(len(found), runtime)
    return found


def _problems(subscriptions: Sequence[Subscription], email: str, topic: str) -> list[str]:
    """`email` is the address that the stack has subscribed; empty if it has subscribed none."""
    found = []
    if not any(one.is_confirmed for one in subscriptions):
        how = "" if email else f" {_subscribe(topic, 'ADDRESS')}"
        found.append(
            f"No one receives the messages of Lightgate: the topic {topic} has no confirmed "
            f"subscription.{how}"
        )
    of_stack = [one for one in subscriptions if email and _is_of(one, email)]
    if email and not any(one.is_confirmed for one in of_stack):
        is_pending = any(one.is_pending for one in of_stack)
        found.append(_not_confirmed(email) if is_pending else _removed(email, topic))
    pending = [one for one in subscriptions if one.is_pending and one not in of_stack]
    if pending:
        protocols = ", ".join(sorted({one.protocol for one in pending}))
        found.append(
            f"Unconfirmed subscriptions of the topic {topic}: {len(pending)} ({protocols}). "
            "Nothing is sent to them, and SNS removes them after two days. Confirm them, or "
            "subscribe again."
        )
    return found


def _is_of(one: Subscription, email: str) -> bool:
    is_email = one.protocol in ("email", "email-json")
    return is_email and one.endpoint.casefold() == email.casefold()


def _not_confirmed(email: str) -> str:
    return (
        f"The subscription of {email} is not confirmed, so nothing is sent to that address. Open "
        'the link in the e-mail "AWS Notification - Subscription Confirmation" within two days '
        "after it was sent."
    )


def _removed(email: str, topic: str) -> str:
    return (
        f"The NotificationEmail of this stack, {email}, is no longer subscribed, so nothing is "
        "sent to that address. Either the subscription was not confirmed within two days, or its "
        "unsubscribe link was opened, for instance by a program that checks the links in e-mails. "
        "To prevent that, confirm with aws sns confirm-subscription and "
        "--authenticate-on-unsubscribe true; docs/runbook.md has the whole command. "
        f"{_subscribe(topic, email)}"
    )


def _subscribe(topic: str, address: str) -> str:
    return (
        "To subscribe, run this command and confirm the e-mail that follows: "
        f"aws sns subscribe --topic-arn {topic} --protocol email "
        f"--notification-endpoint {shlex.quote(address)}"
    )
