"""Check that the SNS topic of this stack has confirmed subscribers.

A topic without subscribers cannot report that. So each release has the problem in its message and
its record, and the log and a metric show it between releases.
"""

from lightgate.checks.subscribers import subscription_faults
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
    email = runtime.settings.notification_email
    found = [
        one.in_a_sentence for one in subscription_faults(subscriptions, email, runtime.topic.arn)
    ]
    for problem in found:
        runtime.logger.error("messages may reach nobody", why=problem)
    subscription_problems(len(found), runtime)
    return found
