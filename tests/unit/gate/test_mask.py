"""Mask takes secrets out of texts, in whatever form others write them."""

import html
import json
import quopri
import re
import shlex
from base64 import a85encode, b32encode, b64encode, b85encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lightgate.gate.masking import Mask

SECRET = "p@ss/w \"or'd\\x\nlíne2🙂+=end"
URL = "postgres://crops:hun%2Fter2-word@db.example/crops"
SIGNED = (
    "https://mailbox.s3.eu-central-1.amazonaws.com/crops/r1/migrate/permit.json"
    "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAXXXX%2F20261122&X-Amz-Expires=3600"
    "&X-Amz-Security-Token=IQoJb3JpZ2luX2Vj&X-Amz-Signature=0123456789abcdef"
)


def doubled(write: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: write(write(text))


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "Python": repr,
    "Python twice": doubled(repr),
    "Python in ASCII": ascii,
    "Python's bytes": lambda text: repr(text.encode()),
    "in a dict": lambda text: str({"SECRET_KEY": [text]}),
    "JSON": json.dumps,
    "JSON twice": doubled(json.dumps),
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in Python": lambda text: repr(json.dumps(text)),
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded path": quote,
    "percent-encoded form": quote_plus,
    "percent-encoded in lower case": lambda text: quote(text, safe="").replace("%2F", "%2f"),
    "percent-encoded twice": doubled(lambda text: quote(text, safe="")),
    "on one line": lambda text: " ".join(text.split()),
    "in HTML": html.escape,
    "in HTML of Jinja": lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    "in another HTML": lambda text: text.encode("ascii", "xmlcharrefreplace").decode(),
    "in Latin-1": lambda text: text.encode("latin-1", "replace").decode("utf-8", "replace"),
    "in UTF-8 read as Latin-1": lambda text: text.encode().decode("latin-1"),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 behind a user": lambda text: b64encode(b"crops:" + text.encode() + b"@db").decode(),
    "base64 behind another user": lambda text: b64encode(b"admin:" + text.encode() + b"/").decode(),
    "base64 for a URL": lambda text: urlsafe_b64encode(b"x" + text.encode()).decode(),
    "base64 in a URL": lambda text: quote(b64encode(text.encode()).decode(), safe=""),
    "base64 in lines": lambda text: encodebytes(b"user:" + text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "base32": lambda text: b32encode(text.encode()).decode(),
    "base32 in lower case": lambda text: b32encode(b"crops:" + text.encode()).decode().lower(),
    "base85": lambda text: b85encode(text.encode()).decode(),
    "Ascii85": lambda text: a85encode(text.encode()).decode(),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "decimal": lambda text: str(list(text.encode())),
    "hexadecimal with colons": lambda text: text.encode().hex(":").upper(),
    "hexadecimal in words": lambda text: text.encode().hex(" ", 2),
    "hexadecimal numbers": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "hexadecimal in upper case": lambda text: text.encode().hex().upper(),
    "with a colour in it": lambda text: f"{text[:2]}\x1b[1;31m{text[2:4]}\x1b[K{text[4:]}",
    "with a colour in it, escaped": lambda text: f"{text[:3]}\\x1b[0m\\u001b[K{text[3:]}",
    "with control characters": lambda text: f"{text[:3]}\x00\u200b{text[3:5]}\x08{text[5:]}",
    "for a shell": shlex.quote,
    "traced by a shell": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "in SQL": lambda text: "'" + text.replace("'", "''") + "'",
    "in octal numbers": lambda text: "".join(
        c if c.isascii() else "".join(f"\\{byte:03o}" for byte in c.encode()) for c in text
    ),
    "every character as JSON can": lambda text: "".join(
        f"\\u{unit:04X}" for unit in memoryview(text.encode("utf-16-le")).cast("H")
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    shown = Mask([SECRET, URL]).text(f"it says {FORMS[form](SECRET)}!")

    assert "***" in shown
    for word in ("p@ss", "p%40ss", "or", "d\\x", "ne2", "=end"):
        assert word not in shown


# A terminal shows nothing of other control characters, and neither does a comparison.
VISIBLE = st.characters(exclude_categories=("Cc", "Cf", "Cs"), include_characters="\n\t")


@example("secret\U0010fffd", "in another HTML")
@given(st.text(VISIBLE, min_size=6, max_size=40), st.sampled_from(sorted(FORMS)))
def test_no_text_that_quotes_a_secret_shows_it(secret: str, form: str) -> None:
    assume(secret.encode("utf-8", "ignore").decode() == secret)
    # A shorter secret cannot be told from usual words.
    assume(len(re.sub(r"[\s\\+'\"]", "", secret)) >= 6)

    shown = Mask([secret]).text(f"[{FORMS[form](secret)}]")

    assert secret not in shown.replace("***", "")
    assert "***" in shown


@pytest.mark.parametrize(
    "cut",
    ["could not connect to postgres://crops:hun", "ter2-word@db.example/crops refused"],
)
def test_a_piece_of_a_secret_is_masked_where_its_text_was_cut(cut: str) -> None:
    shown = Mask([URL]).text(cut)

    assert "hun" not in shown
    assert "ter2" not in shown


def test_a_usual_word_that_a_secret_begins_with_is_left() -> None:
    assert Mask([URL]).text("this is postgres") == "this is postgres"


@pytest.mark.parametrize("write", [str, json.dumps, repr, lambda text: quote(text, safe="")])
def test_a_presigned_url_is_masked_as_a_whole(write: Callable[[str], str]) -> None:
    shown = Mask([]).text(f"GET {write(SIGNED)} returned 403")

    assert shown.replace('"', "").replace("'", "") == "GET *** returned 403"


@pytest.mark.parametrize(
    "text",
    [
        "X-Amz-Security-Token: IQoJb3JpZ2luX2Vj",
        '{"X-Amz-Signature": "IQoJb3JpZ2luX2Vj"}',
        '{\\"X-Amz-Signature\\": \\"IQoJb3JpZ2luX2Vj\\"}',
        "x-amz-credential=IQoJb3JpZ2luX2Vj&x=1",
    ],
)
def test_what_signs_a_request_is_masked_wherever_it_stands(text: str) -> None:
    assert "IQoJb3JpZ2luX2Vj" not in Mask([]).text(text)


def test_every_text_of_a_document_is_masked_and_a_number_that_shows_a_secret_is_dropped() -> None:
    document = {"a": ["x 12345678", {"b": 12345678, "c": 12, "d": 1.5}], "e": True, "f": None}

    assert Mask(["12345678"]).json(document) == {
        "a": ["x ***", {"b": None, "c": 12, "d": 1.5}],
        "e": True,
        "f": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "cannot run 'gunicorn': No such file or directory (ENOENT)",
        "50% done, 100%25 of C:\\new\\table & more",
        "  Applying crops.0003_price... OK",
        "",
    ],
)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert Mask([SECRET, URL]).text(text) == text


def test_a_very_long_text_is_cut() -> None:
    assert len(Mask([SECRET]).text("%41\\u0041 &amp;" * 100_000)) <= 20_000
