"""Whether the path of Lightsail's health check answers without a login."""

from lightgate.checks.finding import Check, Finding, failure, ok, unknown, warning
from lightgate.spec.success_codes import accepts
from lightgate.verification.health import HttpAnswer

_LOGIN = ("login", "signin", "sign-in", "auth", "sso")
_REDIRECTS = range(300, 400)
_NEEDS_LOGIN = (401, 403)


def health_path(url: str, path: str, success_codes: str, answer: HttpAnswer) -> Finding:
    """`answer` is what the live app has answered to one request without credentials."""
    status = answer.status
    if status is None:
        return unknown(Check.HEALTH_CHECK, f"{url}{path} does not answer: {answer.error}")
    where = answer.headers.get("location", "")
    to = f", a redirect to {where}" if status in _REDIRECTS and where else ""
    text = f"GET {path} answers {status}{to}"
    fix = (
        "Let publicEndpoint.healthCheck.path name a path that answers 200 without a login and "
        "without a redirect."
    )
    if not accepts(success_codes, status):
        needs = " and needs a login" if status in _NEEDS_LOGIN else ""
        return failure(
            Check.HEALTH_CHECK, f"{text}{needs}, and the health check takes {success_codes}", fix
        )
    if status in _NEEDS_LOGIN or any(word in where.lower() for word in _LOGIN if to):
        return warning(
            Check.HEALTH_CHECK,
            f"{text}, which the health check takes for healthy ({success_codes}), though the app "
            "behind the login may be broken",
            fix,
        )
    return ok(Check.HEALTH_CHECK, f"{text} without a login")
