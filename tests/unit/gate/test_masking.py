"""The gate and the reader of a log mask the same parts of a secret."""

import json
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lightgate.gate.programs.supervisor.masking import mask, secret_parts

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
        ("http://host:80/a, write to a@b", "http://host:80/a, write to a@b"),
    ],
)
def test_what_looks_like_a_password_is_masked_without_knowing_it(line: str, shown: str) -> None:
    assert mask(line, []) == shown


def test_a_long_line_takes_no_long_time() -> None:
    assert mask("password" * 30_000 + "://" * 30_000, [])
