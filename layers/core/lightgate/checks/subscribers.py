"""Whether the messages of the stack reach somebody: the subscriptions of its SNS topic."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from lightgate.checks.finding import Check, Finding, ok, warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """`is_confirmed` and `is_pending` are both False for one that was removed a short time ago."""

    protocol: str
    endpoint: str
    is_confirmed: bool
    is_pending: bool


@dataclass(frozen=True, slots=True)
class SubscriptionFault:
    """A problem, with what to do about it: a sentence, a command, or both."""

    problem: str
    advice: str = ""
    command: str = ""

    @property
    def in_a_sentence(self) -> str:
        how = f"{_THEN} {self.command}" if self.command else ""
        return " ".join(filter(None, (self.problem, self.advice, how)))


_THEN = "To subscribe, run this command and confirm the e-mail that follows:"


def subscriptions(found: Sequence[Subscription], email: str, topic: str) -> list[Finding]:
    """The findings of the check, one for each fault."""
    faults = subscription_faults(found, email, topic)
    if faults:
        return [
            warning(
                Check.SUBSCRIPTION, one.problem, *(fix for fix in (one.advice, one.command) if fix)
            )
            for one in faults
        ]
    confirmed = [one for one in found if one.is_confirmed]
    return [ok(Check.SUBSCRIPTION, f"{len(confirmed)} confirmed, by {_protocols(confirmed)}")]


def subscription_faults(
    found: Sequence[Subscription], email: str, topic: str
) -> list[SubscriptionFault]:
    """`email` is the address that the stack has subscribed; empty if it has subscribed none."""
    faults = []
    if not any(one.is_confirmed for one in found):
        faults.append(
            SubscriptionFault(
                f"No one receives the messages of Lightgate: the topic {topic} has no confirmed "
                "subscription.",
                command="" if email else _subscribe(topic, "ADDRESS"),
            )
        )
    of_stack = [one for one in found if email and _is_of(one, email)]
    if email and not any(one.is_confirmed for one in of_stack):
        is_pending = any(one.is_pending for one in of_stack)
        faults.append(_not_confirmed(email) if is_pending else _removed(email, topic))
    pending = [one for one in found if one.is_pending and one not in of_stack]
    if pending:
        faults.append(
            SubscriptionFault(
                f"Unconfirmed subscriptions of the topic {topic}: {len(pending)} "
                f"({_protocols(pending)}). Nothing is sent to them, and SNS removes them after two "
                "days.",
                "Confirm them, or subscribe again.",
            )
        )
    return faults


def _protocols(found: Sequence[Subscription]) -> str:
    return ", ".join(sorted({one.protocol for one in found}))


def _is_of(one: Subscription, email: str) -> bool:
    is_email = one.protocol in ("email", "email-json")
    return is_email and one.endpoint.casefold() == email.casefold()


def _not_confirmed(email: str) -> SubscriptionFault:
    return SubscriptionFault(
        f"The subscription of {email} is not confirmed, so nothing is sent to that address.",
        'Open the link in the e-mail "AWS Notification - Subscription Confirmation" within two '
        "days after it was sent.",
    )


def _removed(email: str, topic: str) -> SubscriptionFault:
    return SubscriptionFault(
        f"The NotificationEmail of this stack, {email}, is no longer subscribed, so nothing is "
        "sent to that address. Either the subscription was not confirmed within two days, or its "
        "unsubscribe link was opened, for instance by a program that checks the links in e-mails.",
        "To prevent that, confirm with aws sns confirm-subscription and "
        "--authenticate-on-unsubscribe true; docs/runbook.md has the whole command.",
        _subscribe(topic, email),
    )


def _subscribe(topic: str, address: str) -> str:
    return (
        f"aws sns subscribe --topic-arn {topic} --protocol email "
        f"--notification-endpoint {shlex.quote(address)}"
    )
