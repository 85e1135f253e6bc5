"""The filter patterns of GetContainerLog that Lightgate and the tests send: words and phrases.

A line matches `word "a phrase" -unwanted` if it contains every term and none with a minus, and
`?either ?"of these"` if it contains one of them. Case matters. CloudWatch Logs ignores a question
mark beside terms without one, and has more (`%expression%`, `{ $.json = 1 }`, `[columns]`). The
emulator refuses these, because a pattern that it ignored would return the wrong lines.
"""

import re
from collections.abc import Callable

from local.lightsail.errors import invalid_input

type Pattern = Callable[[str], bool]

_MAX_PATTERN = 1024
_TERM = r'([-?]?)(?:"([^"\\]+)"|(\w+))'
_PATTERN = re.compile(rf"\s*(?:{_TERM}(?:\s+|$))*")


def compile_pattern(text: str) -> Pattern:
    """Return a test for messages, or refuse the pattern."""
    if len(text) > _MAX_PATTERN:
        raise invalid_input(f"The filter pattern is longer than {_MAX_PATTERN} characters.")
    found = re.findall(_TERM, text)
    signs = {sign for sign, _, _ in found}
    if not _PATTERN.fullmatch(text) or ("?" in signs and signs != {"?"}):
        raise invalid_input(
            f"Invalid filter pattern: {text}. This emulator knows words, phrases in quotation "
            'marks, and a minus before either: migrate "took too long" -retry; or a question mark '
            'before each: ?failed ?"took too long".'
        )
    terms = [(phrase or word, sign != "-") for sign, phrase, word in found]
    if signs == {"?"}:
        return lambda message: any(term in message for term, _ in terms)
    return lambda message: all((term in message) is wanted for term, wanted in terms)
