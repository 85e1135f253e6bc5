"""Finds passwords, keys and tokens that stand in plain text in a spec."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from lightgate.patterns import pattern

# What the value alone shows. The words say what it is, and never the value.
_BY_VALUE = (
    (pattern(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY"), "a private key"),
    (pattern(r"AGE-SECRET-KEY-1[0-9A-Z]+"), "a private key"),
    (pattern(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"), "an AWS access key"),
    (pattern(r"(?<!\w)(?:gh[pousr]_\w{20,}|github_pat_\w{20,})"), "a token of GitHub"),
    (pattern(r"(?<!\w)glpat-[\w-]{16,}"), "a token of GitLab"),
    (pattern(r"(?<!\w)xox[abeprs]-[\w-]{10,}"), "a token of Slack"),
    (pattern(r"hooks[.]slack[.]com/(?:services|workflows)/\w+"), "a webhook of Slack"),
    (pattern(r"(?<!\w)(?:sk|rk)_(?:live|test)_\w{10,}|(?<!\w)whsec_\w{10,}"), "a key of Stripe"),
    (pattern(r"(?<!\w)sk-(?:ant-|proj-)?[\w-]{20,}"), "an API key"),
    (pattern(r"(?<!\w)SG[.][\w-]{16,}[.][\w-]{16,}"), "a key of SendGrid"),
    (pattern(r"(?<!\w)AIza[\w-]{30,}"), "a key of Google"),
    (pattern(r"(?<!\w)(?:npm_\w{30,}|pypi-[\w-]{30,}|hf_\w{30,}|dop_v1_\w{30,})"), "a token"),
    (pattern(r"(?<!\w)(?:hvs[.][\w-]{20,}|shpat_\w{20,}|key-[0-9a-f]{32}(?!\w))"), "a token"),
    (pattern(r"(?<!\w)eyJ[\w-]{8,}[.]eyJ[\w-]{8,}[.][\w-]*"), "a token (JWT)"),
    (pattern(r"django-insecure-\S+"), "a secret key of Django"),
    (pattern(r"(?i)(?<!\w)(?:bearer|basic) [\w+/=.~-]{16,}"), "an Authorization header"),
    (pattern(r"(?i)accountkey=[\w+/=]{16,}|sharedaccesskey=[\w+/=]{16,}"), "a connection key"),
)
_URL = pattern(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s:/?#@]*:([^\s/@]+)@")
_PASSWORD_IN_TEXT = pattern(
    r"(?i)(?<![\w])[\w-]*(?:password|passwd|pwd|secret|token|api[_-]?key)\s*=\s*"
    r"(?![\s&;]|$)\"?'?([^\s;&\"']+)"
)
# Not a secret, whatever the variable is called.
_NO_SECRET = pattern(
    r"(?i)|true|false|yes|no|on|off|[01]|none|null|dummy|unused|not[-_ ]?used|placeholder"
    r"|\*+|<.*>|\$\{?\w+\}?|\$\(\w+\)|%\(\w+\)s|guest"
    r"|/(?:run|etc|var|app|secrets|mnt|tmp|home|opt|usr|srv|code|vault)/.*|file:.*"
    r"|arn:[\w-]*:(?:secretsmanager|ssm):.*|secretsmanager:.*|ssm:.*"
)
_NUMBER = pattern(r"[0-9][0-9._]*")
# Which of several: they stand behind what says that it is a secret.
_QUALIFIERS = {
    *("PROD", "PRODUCTION", "STAGING", "DEV", "DEVELOPMENT", "LIVE", "TEST", "OLD", "NEW"),
    *("PRIMARY", "SECONDARY", "REPLICA", "READONLY", "DEFAULT", "FALLBACK", "FALLBACKS", "BASE"),
    *("CURRENT", "PREVIOUS", "NEXT", "MAIN", "BACKUP", "VALUE"),
}
_PASSWORD = pattern(r"(?:.*_)?(?:\w*PASSWORDS?|\w*PASSWD|\w*PASSPHRASE|PASS|PWD)")
_KEY = pattern(
    r"(?:.*_)?(?:\w*SECRETS?|\w*TOKEN|\w*SECRET_?KEYS?|API_?KEYS?|ACCESS_?KEY(?:_ID)?|PRIVATE_?KEY"
    r"|AUTH_?KEY|ENCRYPTION_?KEYS?|SIGNING_?KEY|JWT_?KEY|FERNET_?KEYS?|MASTER_?KEY|SERVICE_?KEY"
    r"|ACCOUNT_?KEY|SERVER_?KEY|SECURE_?KEY|CRYPTO(?:GRAPHY)?_?KEY|HMAC_?KEY|CREDENTIALS)"
)
_ANY_KEY = pattern(r"(?:.*_)?(?:KEY|SALT|AUTH|DSN|PAT)")
_PUBLIC = pattern(r"(?:.*_)?(?:PUBLIC|PUBLISHABLE|SITE)(?:_.*)?")
_LONGEST_NAME = 100
_SHORTEST_RANDOM = 20
_LEAST_ENTROPY = 3.5


def secret_in(name: str, value: str) -> str | None:
    """The kind of secret that the variable holds, in words; None if it seems to hold none."""
    return secret_in_text(value) or _by_name(name, value.strip())


def secret_in_text(text: str) -> str | None:
    """The same for a text without a name, such as an argument of a command."""
    for found in _URL.finditer(text):
        if not _NO_SECRET.fullmatch(found[1]) and "$" not in found[1]:
            return "a URL with a password"
    for known, words in _BY_VALUE:
        if known.search(text):
            return words
    for found in _PASSWORD_IN_TEXT.finditer(text):
        if not _NO_SECRET.fullmatch(found[1]) and not _NUMBER.fullmatch(found[1]):
            return "a password"
    return None


def secrets_in_arguments(arguments: tuple[str, ...]) -> Iterator[str]:
    """The kind of each secret among the arguments, in words."""
    for last, word in zip(("", *arguments), arguments, strict=False):
        if found := secret_in_text(word):
            yield found
        elif re.fullmatch(r"--?[\w-]*(?:password|passwd|secret|token|api-?key)", last) and (
            _by_name("PASSWORD", word) and not word.startswith("-")
        ):
            yield "a password"


def _by_name(name: str, value: str) -> str | None:
    known = _without_qualifiers(name.upper())
    if known in ("PWD", "OLDPWD") or _NO_SECRET.fullmatch(value):
        return None
    if _PASSWORD.fullmatch(known):
        return "a password"
    if _PUBLIC.fullmatch(known) or _NUMBER.fullmatch(value):
        return None
    if _KEY.fullmatch(known):
        return "an AWS access key" if known.startswith("AWS_") else "a secret"
    return "a key" if _ANY_KEY.fullmatch(known) and _is_random(value) else None


def _without_qualifiers(name: str) -> str:
    """The end of the name decides, without what only tells several secrets apart."""
    parts = [part for part in name[-_LONGEST_NAME:].split("_") if part]
    while len(parts) > 1 and (parts[-1] in _QUALIFIERS or parts[-1].isdigit()):
        parts.pop()
    return "_".join(parts)


def _is_random(value: str) -> bool:
    """Whether it looks as if a generator had made it, and no person a name."""
    if len(value) < _SHORTEST_RANDOM or not re.fullmatch(r"[\w+/=.~-]+", value):
        return False
    if not (re.search(r"[0-9]", value) and re.search(r"[A-Za-z]", value)):
        return False
    counts = Counter(value).values()
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    return entropy >= _LEAST_ENTROPY
