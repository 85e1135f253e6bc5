"""The gate and the reader of a log mask the same parts of a secret."""

import html
import json
import quopri
import re
import textwrap
from base64 import (
    a85encode,
    b32encode,
    b64encode,
    b85encode,
    encodebytes,
    urlsafe_b64encode,
)
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lightgate.gate.masking import Mask
from lightgate.gate.programs.supervisor.masking import mask, mask_line, secret_parts

PASSWORD = "hun%2Fter'2\"\\x"
DECODED = "hun/ter'2\"\\x"
LONG = st.text(min_size=6, max_size=30)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        (f"postgres://crops:{PASSWORD}@db:5432/crops", PASSWORD),
        (f"postgres://crops:{PASSWORD}@db:5432/crops", DECODED),
        (f"postgres://crops:{PASSWORD}@db:5432/crops", repr({"PASSWORD": DECODED})[14:-2]),
        (f"postgres://crops:{PASSWORD}@db:5432/crops", json.dumps(DECODED)[1:-1]),
        ("redis://:with@sign2@cache/1", "with@sign2"),
        ("https://0123456789abcdef@sentry.example/1", "0123456789abcdef"),
        ("postgres://db/crops?user=crops&password=hunter22", "hunter22"),
        ("host=db password='hunter 22' user=crops", "hunter 22"),
        ("Server=db;Pwd=hunter22;Encrypt=yes", "hunter22"),
        ('{"username": "crops", "password": "hunter22"}', "hunter22"),
        ('{"outer": {"pin": 12345678}}', "12345678"),
        ('{"url": "https://a:hunter22@b"}', "hunter22"),
        ("-----BEGIN KEY-----\nMIIEvQIBADANBg\n", "MIIEvQIBADANBg"),
        ("one two\nthree", "one two\\nthree"),
        (json.dumps({"private_key": "BEGIN\nMIIEvQIBADANBg\n"}), "MIIEvQIBADANBg"),
    ],
)
def test_each_part_of_a_secret_that_is_one_by_itself_is_masked(secret: str, shown: str) -> None:
    assert mask(f"it says {shown}!", secret_parts([secret])) == "it says ***!"


ODD = "p@ss wörd/'+\"<&\n"
FORMS: dict[str, Callable[[str], str]] = {
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded path": quote,
    "percent-encoded form": quote_plus,
    "percent-encoded by JavaScript": lambda text: quote(text, safe="!'()*"),
    "percent-encoded in lower case": lambda text: re.sub(
        "%..", lambda code: code[0].lower(), quote(text, safe="")
    ),
    "with colours": lambda text: "".join(f"\x1b[38;5;9m{one}\x1b[K\x1b[0m" for one in text),
    "behind a title of the terminal": lambda text: f"{text[:3]}\x1b]0;title\x07{text[3:]}",
    "with zeros": lambda text: "\0".join(text),
    "in Latin-1": lambda text: text.encode("latin-1").decode("utf-8", "replace"),
    "in UTF-8 read as Latin-1": lambda text: text.encode().decode("latin-1"),
    "bytes": lambda text: repr(text.encode()),
    "ASCII": ascii,
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False),
    "HTML": html.escape,
    "HTML of Jinja": lambda text: (
        html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    ),
    "HTML in ASCII": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace").decode(),
    "HTML in decimal numbers": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "HTML in hexadecimal numbers": lambda text: "".join(f"&#x{ord(one):x};" for one in text),
    "JSON with each character escaped": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "percent-encoded in full": lambda text: "".join(f"%{one:02X}" for one in text.encode()),
    "octal": lambda text: "".join(f"\\{one:03o}" for one in text.encode()),
    "decimal": lambda text: str(list(text.encode())),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in upper case": lambda text: text.encode().hex().upper(),
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
    "hexadecimal with colons in upper case": lambda text: text.encode().hex(":").upper(),
    "hexadecimal with spaces": lambda text: text.encode().hex(" "),
    "hexadecimal in words": lambda text: text.encode().hex(" ", 2),
    "hexadecimal numbers": lambda text: ", ".join(f"0x{one:02x}" for one in text.encode()),
    "hexadecimal escapes": lambda text: "".join(f"\\x{one:02x}" for one in text.encode()),
    "base32": lambda text: b32encode(text.encode()).decode().rstrip("="),
    "base32 in lower case": lambda text: b32encode(text.encode()).decode().rstrip("=").lower(),
    "base85": lambda text: b85encode(text.encode()).decode(),
    "Ascii85": lambda text: a85encode(text.encode()).decode(),
    "Ascii85 of Adobe": lambda text: a85encode(text.encode(), adobe=True).decode()[2:-2],
    "base64": lambda text: b64encode(text.encode()).decode().rstrip("="),
    "base64 behind a user": lambda text: b64encode(b"crops:" + text.encode()).decode(),
    "base64 behind another user": lambda text: b64encode(b"farms/:" + text.encode()).decode(),
    "base64 before a host": lambda text: b64encode(text.encode() + b"@db").decode(),
    "base64 for a URL": lambda text: urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [ODD, "hunter2", "ÿþý>>>???"])
def test_a_secret_is_masked_in_every_form_that_programs_write(form: str, secret: str) -> None:
    shown = mask(f"it says {FORMS[form](secret)}!", secret_parts([secret, "postgres://db/x"]))

    assert "***" in shown
    # Base64 shares a character with the bytes on either side.
    left = shown.removeprefix("it says ").removesuffix("!").replace("***", "")
    assert len(left) <= (13 if "base64" in form else 3), shown


BASES: dict[str, Callable[[bytes], bytes]] = {
    "base32": b32encode,
    "base64": b64encode,
    "base64 in lines": encodebytes,
    "base85": b85encode,
    "Ascii85": a85encode,
}


@pytest.mark.parametrize("base", BASES)
@given(
    before=st.text(max_size=9), secret=st.text(min_size=24, max_size=60), after=st.text(max_size=9)
)
def test_a_secret_is_masked_within_a_longer_text_in_any_base(
    base: str, before: str, secret: str, after: str
) -> None:
    data = [part.encode("utf-8", "replace") for part in (before, secret, after)]
    assume(b"?" not in data[1])
    written = BASES[base](b"".join(data)).decode().rstrip()

    lines = [mask_line(line, secret_parts([secret])) for line in written.split("\n")]

    # What is left has the characters on either side, and a few bits of the secret.
    left = "".join(lines).replace("***", "").rstrip("=")
    assert len(left) <= len(written) - len(BASES[base](data[1])) + 18


LONG_SECRETS = [
    "".join(f"{number:x}k" for number in range(60)),
    b64encode(bytes(range(120))).decode(),
    "a sentence with spaces, and a long one, that only we know: 12 horses, 7 cows and a goat",
]


@pytest.mark.parametrize("width", [20, 33, 64])
@pytest.mark.parametrize("secret", LONG_SECRETS)
@pytest.mark.parametrize("form", ["", "base64", "base32", "hexadecimal with colons", "Ascii85"])
def test_a_secret_that_is_broken_over_lines_is_masked_in_each_of_them(
    form: str, secret: str, width: int
) -> None:
    written = FORMS[form](secret) if form else secret
    lines = textwrap.wrap(f"secret {written}", width, break_on_hyphens=False)

    shown = [mask_line(f"  '{line}'", secret_parts([secret])) for line in lines]
    read = [Mask([secret]).text(f"  '{line}'") for line in reversed(lines)]

    for each in (shown, read):
        assert [line for line in each[1:-1] if "***" not in line] == []


@pytest.mark.parametrize(
    "line",
    [
        "ModuleNotFoundError: No module named 'config.settings'",
        '  File "/app/config/settings/base.py", line 12, in <module>',
        'connection to server at "db.example", port 5432 failed: FATAL: no pg_hba.conf entry',
        "2026-11-30 21:19:47,123 [12] 5a9f0c3e-1b2d-4c6a-8e0f-7a6b5c4d3e2f at 172.26.0.14:8000",
        "Line 1: sha256:9362660c4a31150cf18e78cae2ce8aa1e929fc6c6739e69f6dd5dbea9c3edc82",
        "    00:1a:2b:3c:4d:5e  [104, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100]",
    ],
)
def test_lines_that_only_resemble_a_secret_stay_as_they_are(line: str) -> None:
    secrets = ["postgres://crops:hunter2-word@db.example/crops", "config.settings.production"]

    assert mask_line(line, secret_parts(secrets)) == line


@pytest.mark.parametrize(
    "line",
    ["\tLine 5432 of 616263, 74727565: ok", "dHJ1ZQ Y3JvcHM 50% \x1b[1mbold\x1b[0m"],
)
def test_the_forms_of_a_short_secret_are_not_masked(line: str) -> None:
    parts = secret_parts(["abc", "true", "crops", "5432"])
    assert parts == []
    assert mask(line, parts) == line.replace("\x1b[1m", "").replace("\x1b[0m", "")


@given(LONG, st.sampled_from([str, repr, json.dumps]))
def test_a_password_is_masked_however_it_is_written(password: str, write: object) -> None:
    assume(password.encode("utf-8", "ignore").decode() == password)
    url = f"postgres://crops:{quote(password, safe='')}@db/crops"

    written = write(password)  # type: ignore[operator]
    body = written if write is str else written[1:-1]

    assert body not in mask(f"[{written}]", secret_parts([url])).replace("***", "")


@given(st.text())
def test_no_secret_whatever_breaks_the_gate(secret: str) -> None:
    assert secret not in mask(secret, secret_parts([secret])) or len(secret) < 6 or secret in "***"


def test_secrets_as_short_as_usual_words_are_not_masked() -> None:
    assert mask("crops has 5432 and true", secret_parts(["crops", "5432", "true"])) == (
        "crops has 5432 and true"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("postgresql://crops:s3cr3t@db.example:5432/x", "postgresql://crops:***@db.example:5432/x"),
        ("SECRET_KEY = 'a b', password: geheim", "SECRET_KEY = '***', password: ***"),
        ("{'PASSWORD': 'it\\'s'}", "{'PASSWORD': '***'}"),
        ('{"api_key":"x"}', '{"api_key":"***"}'),
        ("password authentication failed", "password authentication failed"),
        ("KeyError: 'SECRET_KEY'", "KeyError: 'SECRET_KEY'"),
        ("NoCredentialsError: Unable to find any", "NoCredentialsError: Unable to find any"),
        ("http://host:80/a, write to a@b", "http://host:80/a, write to a@b"),
    ],
)
def test_what_looks_like_a_password_is_masked_without_knowing_it(line: str, shown: str) -> None:
    assert mask(line, []) == shown


def test_a_long_line_takes_no_long_time() -> None:
    for text in ("password", "://", "0", "u0", "a1:", "\\u00", "0x", "&#1;"):
        assert mask_line(text * 30_000, secret_parts(["hunter2-word"]))
