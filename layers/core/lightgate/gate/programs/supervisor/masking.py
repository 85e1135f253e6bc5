"""What counts as a secret in a text. `lightgate.gate.masking` goes by the same rules."""

from __future__ import annotations

import json
import re
from typing import Any

from lightgate.gate.programs.supervisor.failures import MALFORMED

SHORTEST = 6
SHORT = 256
# Colours and other commands to a terminal, and control characters except \t, \n and \r.
CONTROLS = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]*[0-~])"
    r"|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
# Bytes or characters as numbers, such as 70:77, 0x70, \\u0070, &#112; and [112, 119].
NUMBERS = re.compile(r"(?i)(?!\s)(?:[\W_]{0,4}(?:0?x|u\+?0*)?[0-9a-f]{1,4}){6,}")
# A line may be broken within a secret. A shorter piece of one is part of usual words.
PIECE = 12
ASSIGNED = (
    r"(?i)((?:password|passwd|pwd|secret|token|(?:api|access|private)_?key|credentials?)\w{0,40}(?<!Error)"
    r"[\"']?"
    r"\s*[=:]\s*)(?:([\"'])((?:\\.|(?!\2).)*)|([^\s\"',;&]+))"
)


def secret_parts(secrets: list[str]) -> list[str]:
    """The texts that must not be shown because of these secrets, the longest first.

    They are each secret and its lines. If a secret is JSON, its values are among them. If it has a
    URL, the user and the password are, also percent-decoded. If it assigns a value to the name of
    a secret, that value is. Each text is also there as other programs write it. Texts shorter
    than SHORTEST are left out: they are parts of usual words and numbers, and without `crops`,
    `true` and `5432` nobody could read the rest.
    """
    found = list(secrets)
    for secret in secrets:
        try:
            json.loads(secret, object_hook=lambda inner: found.extend(map(str, inner.values())))
        except MALFORMED:
            continue  # it is no JSON
    found += [line for one in found for line in one.splitlines()]
    for one in found[:]:
        for user in re.findall(r"://([^\s/]+)@", one):
            found += [user, user.partition(":")[2]]
        found += [match[3] or match[4] for match in re.finditer(ASSIGNED, one)]
    found += [percent_decoded(one) for one in found]
    forms = {form for one in found if len(one) >= SHORTEST for form in forms_of(one)}
    return sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)


def forms_of(text: str) -> list[str]:
    """The text as programs write it: escaped, in a URL or HTML, or in another encoding."""
    from base64 import a85encode, b32encode, b64encode, b85encode
    from binascii import b2a_qp

    data = text.encode("utf-8", "replace")
    quoted = [repr(text), json.dumps(text), json.dumps(text, ensure_ascii=False)]
    forms = [one[1:-1] for one in (*quoted, ascii(text), repr(data)[1:])]
    latin = text.encode("latin-1", "replace")
    forms += [text, data.decode("latin-1"), latin.decode("utf-8", "replace")]
    forms += [data.hex(), data.hex().upper(), b2a_qp(data).decode()]
    for kept in (b"", b"/", b"!'()*"):
        url = re.sub(b"[^\\w.~" + kept + b"-]", lambda c: b"%%%02X" % ord(c[0]), data).decode()
        forms += [url, url.replace("%20", "+"), re.sub("%..", lambda c: c[0].lower(), url)]
    for quotes in (("&quot;", "&#x27;"), ("&#34;", "&#39;")):
        page = text.translate({38: "&amp;", 60: "&lt;", 62: "&gt;", **dict(zip((34, 39), quotes))})
        forms += [page, page.encode("ascii", "xmlcharrefreplace").decode()]
    # Keys and passwords. Of a longer text only base64 is common, and each form takes time.
    is_short = len(data) <= SHORT
    for n in range(5):  # the bytes before it in a longer text
        for encode, bits in ((b64encode, 6), (b32encode, 5))[: 1 + is_short]:
            inner = encode(bytes(n) + data).decode()
            inner = inner[-(-8 * n // bits) : 8 * (n + len(data)) // bits]
            forms += [inner, inner.lower() if bits == 5 else inner.translate({43: "-", 47: "_"})]
    for n in range(5 * is_short):
        rest = data[n:]
        rest = rest[: (n and len(rest) // 4 * 4) or None]
        forms += [b85encode(rest).decode(), a85encode(rest).decode()]
    return forms


def percent_decoded(text: str) -> str:
    data = text.encode("utf-8", "replace")
    data = re.sub(b"%([0-9a-fA-F]{2})", lambda code: bytes([int(code[1], 16)]), data)
    return data.decode("utf-8", "replace")


def mask(value: Any, parts: list[str]) -> Any:  # noqa: ANN401
    """The value with `***` in its texts for these parts and for what looks like a password."""
    if isinstance(value, list):
        return [mask(one, parts) for one in value]
    if isinstance(value, dict):
        return {key: mask(one, parts) for key, one in value.items()}
    if isinstance(value, str):
        value = CONTROLS.sub("", value)
        for part in parts:
            value = value.replace(part, "***")
        value = NUMBERS.sub(lambda run: "***" if shows(run[0], parts) else run[0], value)
        value = re.sub(r"(://[^\s:/@]*):[^\s/\"']+@", r"\1:***@", value)
        value = re.sub(ASSIGNED, r"\1\2***", value)
    return value


def shows(run: str, parts: list[str]) -> bool:
    """Whether these numbers are one of the parts, whatever stands between them."""
    bases = ((10, r"\d{1,4}"), (8, "[0-7]{3}"), (16, r"(?i)[ux]\+?([0-9a-f]{1,4})"))
    texts = ["".join(chr(int(one, n)) for one in re.findall(digits, run)) for n, digits in bases]
    text = "\0".join((*texts, hexadecimal(run)))
    return any(part in text for part in parts)


def hexadecimal(run: str) -> str:
    return re.sub(r"0?x|u\+?0*|[\W_]", "", run.lower())


def mask_line(text: str, parts: list[str]) -> str:
    """The same for a line that may have been broken within a secret."""
    text = mask(mask_piece(text, parts), parts)

    def masked(run: re.Match[str]) -> str:
        digits = hexadecimal(run[0])
        alike = [part for part in parts if not part.strip("0123456789abcdef")]
        return run[0] if mask_piece(digits, alike) == digits else "***"

    return NUMBERS.sub(masked, text)


def mask_piece(text: str, parts: list[str]) -> str:
    """The text without a beginning of a part at its end, an end at its beginning, or as a whole."""
    whole, inner = text.strip(" \t'\"()\\,=+"), text.strip(" \t\\=")
    for part in parts:
        if len(whole) >= PIECE and whole in part:
            return text.replace(whole, "***")
        at = inner.rfind(part[:PIECE])
        if at >= 0 and part.startswith(inner[at:]):
            text = text.replace(inner[at:], "***")
        end = inner.find(part[-PIECE:]) + PIECE
        if end >= PIECE and part.endswith(inner[:end]):
            text = text.replace(inner[:end], "***")
    return text
