"""Why an app did not come up behind its gate."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.diagnosis.app_causes import APP_RULES
from lightgate.diagnosis.app_log import AppLog
from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.log_causes import cause_of
from lightgate.diagnosis.log_rule import LogRule
from lightgate.diagnosis.migration_causes import MIGRATION_RULES, ROW_RULES
from lightgate.diagnosis.puller import Puller, statement
from lightgate.diagnosis.start_causes import START_RULES
from lightgate.diagnosis.weak_causes import WEAK_RULES
from lightgate.gate.gate_report import NO_GATE_REPORT, Phase
from tests.support.builders import evidence
from tests.support.failed_release import (
    BAD_HOST,
    BOOT_FAILED,
    CHECKED,
    CHECKER,
    IN_USE,
    NO_KEY_IN_A_DICT,
    NO_MODULE,
    NO_VARIABLE,
    STARTED,
    app,
    symptoms,
)
from tests.support.printed import diagnose_app_log, diagnose_command

Kind = FailureClass
ROLE = "arn:aws:iam::170441448102:role/amazon/lightsail/us-east-1/containers/crops/1a2b"


@pytest.mark.parametrize(
    ("lines", "kind", "line"),
    [
        (NO_MODULE, Kind.APP_CRASH, "ModuleNotFoundError: No module named 'weather'"),
        ([*NO_VARIABLE, *BOOT_FAILED], Kind.MISSING_VARIABLE, "KeyError: 'SECRET_KEY'"),
        ([*NO_KEY_IN_A_DICT, *BOOT_FAILED], Kind.APP_CRASH, "KeyError: 'WHEAT'"),
        (IN_USE, Kind.APP_CRASH, IN_USE[0]),
        (
            ["gunicorn: error: unrecognized arguments: --bnd 0.0.0.0:8000"],
            Kind.APP_CRASH,
            "gunicorn: error: unrecognized arguments: --bnd 0.0.0.0:8000",
        ),
        (
            ["exec /usr/local/bin/gunicorn: exec format error"],
            Kind.ARCHITECTURE,
            "exec /usr/local/bin/gunicorn: exec format error",
        ),
        (
            ["django.core.exceptions.ImproperlyConfigured: Set the API_URL environment variable"],
            Kind.MISSING_VARIABLE,
            "django.core.exceptions.ImproperlyConfigured: Set the API_URL environment variable",
        ),
        (
            ["decouple.UndefinedValueError: API_URL not found. Declare it as envvar or define …"],
            Kind.MISSING_VARIABLE,
            "decouple.UndefinedValueError: API_URL not found. Declare it as envvar or define …",
        ),
        (
            ['environs.exceptions.EnvError: Environment variable "API_URL" not set'],
            Kind.MISSING_VARIABLE,
            'environs.exceptions.EnvError: Environment variable "API_URL" not set',
        ),
        (
            [*STARTED[:1], "[INFO] Listening at: http://0.0.0.0:9000 (1)"],
            Kind.HEALTH_CHECK,
            "[INFO] Listening at: http://0.0.0.0:9000 (1)",
        ),
        (
            ["INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)"],
            Kind.HEALTH_CHECK,
            "INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
        ),
        (
            [*STARTED, CHECKED.format("/healthz", 503, CHECKER)],
            Kind.HEALTH_CHECK,
            CHECKED.format("/healthz", 503, CHECKER),
        ),
        (
            [*STARTED, CHECKED.format("/healthz", 404, CHECKER)],
            Kind.HEALTH_CHECK,
            CHECKED.format("/healthz", 404, CHECKER),
        ),
        (
            [
                *STARTED,
                CHECKED.format("/healthz", 500, CHECKER),
                # The version that goes on serving writes to the same log.
                CHECKED.format("/healthz", 200, CHECKER),
            ],
            Kind.HEALTH_CHECK,
            CHECKED.format("/healthz", 500, CHECKER),
        ),
        ([*STARTED, BAD_HOST], Kind.HEALTH_CHECK, BAD_HOST),
        (STARTED, Kind.HEALTH_CHECK, " | ".join(STARTED[-3:])),
    ],
)
def test_what_an_app_wrote_behind_its_gate_has_its_class_and_its_line(
    lines: list[str], kind: FailureClass, line: str
) -> None:
    found = diagnose(symptoms(logs=app(*lines, system=("Started 1 new node", "Took too long"))))

    assert (found.kind, found.evidence) == (kind, line)


@pytest.mark.parametrize(
    "lines",
    [
        [*STARTED, CHECKED.format("/healthz", 200, CHECKER)],
        [*STARTED, CHECKED.format("/", 500, "Mozilla/5.0")],
        [*STARTED, CHECKED.format("/healthz", 400, "Mozilla/5.0")],
        [*STARTED, CHECKED.format("/nope", 404, CHECKER)],
        [*STARTED, *NO_KEY_IN_A_DICT],
        [*STARTED, "Invalid HTTP_HOST"],
        # Strangers call the version that serves by any name, and it writes to the same log.
        [*STARTED, BAD_HOST.replace("172.26.9.4", "3.66.82.1")],
        [*STARTED, BAD_HOST.replace("172.26.9.4", "wordpress.example.com")],
        [*STARTED, BAD_HOST.replace("172.26.9.4", "1.1.1.1.1")],
    ],
)
def test_what_does_not_prove_anything_is_not_said_to(lines: list[str]) -> None:
    found = diagnose(symptoms(logs=app(*lines, system=("Started 1 new node",))))

    assert found.kind is Kind.UNKNOWN


def test_an_app_that_is_started_again_and_again_has_crashed_whatever_it_said() -> None:
    found = diagnose(symptoms(logs=app("bye", starts=4), nodes=2))

    assert (found.kind, found.evidence) == (Kind.APP_CRASH, "bye")
    assert "4 times on 2 nodes" in found.what


def test_an_exception_of_an_app_whose_node_was_launched_again_is_why() -> None:
    launched = ("Started 1 new node", "Started 1 new node", "Took too long")
    once = diagnose(symptoms(logs=app(*NO_KEY_IN_A_DICT, system=launched[1:]), endpoint=None))
    again = diagnose(symptoms(logs=app(*NO_KEY_IN_A_DICT, system=launched), endpoint=None))

    assert once.kind is Kind.UNKNOWN
    assert (again.kind, again.evidence) == (Kind.APP_CRASH, NO_KEY_IN_A_DICT[-1])


def test_that_the_server_ended_does_not_hide_why() -> None:
    """Two workers that fail to boot may end gunicorn's master with a traceback of its own."""
    halted = [
        "Traceback (most recent call last):",
        '  File "/site-packages/gunicorn/arbiter.py", line 532, in reap_workers',
        "    raise HaltServer(reason, self.WORKER_BOOT_ERROR)",
        "gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>",
    ]

    found = diagnose(symptoms(logs=app(*NO_MODULE, *halted)))

    assert found.kind is Kind.APP_CRASH
    assert found.evidence == "ModuleNotFoundError: No module named 'weather'"


def test_each_node_may_start_the_app_once() -> None:
    found = diagnose(symptoms(logs=app("hello", starts=2), nodes=2))

    assert found.kind is Kind.UNKNOWN


NOTHING_RAN = app(system=("Creating your deployment", *["Started 1 new node"] * 3, "Canceled"))


@pytest.mark.parametrize(
    ("puller", "what", "action"),
    [
        (None, "most likely", '"Principal": {"AWS": "ROLE"}'),
        (Puller(role=None, policy=None), "has no role", "ecrImagePullerRole={isActive=true}"),
        (Puller(role=ROLE, policy=None), "does not let the service's role pull", statement(ROLE)),
        (
            Puller(role=ROLE, policy=json.dumps({"Statement": json.loads(statement(ROLE))})),
            "may be missing or damaged",
            "docker run",
        ),
        (Puller(role=ROLE, policy="?"), "most likely", statement(ROLE)),
    ],
)
def test_if_nothing_ran_the_pull_is_checked(puller: Puller | None, what: str, action: str) -> None:
    found = diagnose(symptoms(evidence=NO_GATE_REPORT, logs=NOTHING_RAN, puller=puller))

    assert found.kind is Kind.IMAGE_PULL
    assert found.evidence == "Started 1 new node (3 in total), Canceled"
    assert what in found.what
    assert action in found.next_action


SILENCE = {name: AppLog(lines=(), system=()) for name in NOTHING_RAN}
ALLOWS = json.dumps({"Statement": json.loads(statement(ROLE))})
NAMES_ANOTHER = json.dumps({"Statement": json.loads(statement(f"{ROLE}-of-the-service"))})


@pytest.mark.parametrize(
    ("puller", "what", "action"),
    [
        (Puller(role=None, policy=None), "has no role", "ecrImagePullerRole={isActive=true}"),
        (Puller(role=ROLE, policy=NAMES_ANOTHER), "does not let", statement(ROLE)),
    ],
)
def test_without_logs_a_policy_that_forbids_the_pull_is_the_cause(
    puller: Puller, what: str, action: str
) -> None:
    found = diagnose(symptoms(evidence=NO_GATE_REPORT, logs=SILENCE, puller=puller))

    assert (found.kind, found.evidence) == (Kind.IMAGE_PULL, None)
    assert "Lightsail wrote nothing" in found.what
    assert what in found.what
    assert action in found.next_action


@pytest.mark.parametrize(
    "puller", [None, Puller(role=ROLE, policy="?"), Puller(role=ROLE, policy=ALLOWS)]
)
def test_silence_alone_is_no_sign_that_the_pull_failed(puller: Puller | None) -> None:
    found = diagnose(symptoms(evidence=NO_GATE_REPORT, logs=SILENCE, puller=puller))

    assert found.kind is Kind.UNKNOWN


def test_what_the_version_that_serves_has_written_meanwhile_is_no_sign_of_the_new_one() -> None:
    web = AppLog(lines=("WARNING a visitor waits",), system=NOTHING_RAN["web"].system)
    logs = {**NOTHING_RAN, "web": web}

    found = diagnose(symptoms(evidence=NO_GATE_REPORT, logs=logs, gates=("migrate",)))

    assert found.kind is Kind.IMAGE_PULL


@pytest.mark.parametrize(
    "changes",
    [
        {"logs": {**NOTHING_RAN, "migrate": None}},
        {"logs": {**NOTHING_RAN, "migrate": AppLog(lines=("hello",))}, "gates": ("migrate",)},
        {"logs": {**NOTHING_RAN, "web": replace(NOTHING_RAN["web"], starts=1)}},
        {"logs": {**NOTHING_RAN, "migrate": AppLog(lines=("hello",))}},
        {"evidence": evidence(Phase.WAITING)},
        {"logs": app(system=("Started 1 new node", "Canceled"))},
        {"logs": app(system=("Started 1 new node", "Started 1 new node", "Took too long"))},
        {"logs": {}},
    ],
)
def test_a_pull_is_blamed_only_if_nothing_has_run_for_sure(changes: dict[str, Any]) -> None:
    found = diagnose(symptoms(**{"evidence": NO_GATE_REPORT, "logs": NOTHING_RAN} | changes))

    assert found.kind is Kind.UNKNOWN


LOGGED = [
    "Not Found: {}",
    "WARNING:django.request:Not Found: {}",
    "WARNING Not Found: {}",
    "[2026-11-22 19:03:36 +0000] [7] [WARNING] Not Found: {}",
    "2026-11-22 19:03:36,123 WARNING django.request Bad Request: {}",
    "Forbidden (CSRF cookie not set.): {}",
    "Method Not Allowed (POST): {}",
    '{{"level": "WARNING", "message": "Not Found: {}"}}',
    '172.26.3.1 - - [22/Nov/2026:19:03:37 +0000] "GET {} HTTP/1.1" 404 219 "-" "curl/8"',
    'INFO:     172.26.3.1:4711 - "GET {} HTTP/1.1" 404 Not Found',
]
TELLING = [
    "exec /app/run: exec format error",
    "OSError: [Errno 8] Exec format error: '/app/run'",
    "ImproperlyConfigured: Set the EVIL environment variable",
    "KeyError: 'EVIL'",
    'File "<frozen os>", line 716',
    'x = os.environ["EVIL"]',
    "Traceback (most recent call last):",
    "[ERROR] Reason: Worker failed to boot.",
    "sh: 1: exec: gunicorn: not found",
    "nginx: [emerg] bind() failed",
    "[INFO] Listening at: http://0.0.0.0:9999",
    "Invalid HTTP_HOST header: '10.0.0.1'",
    '" 200 - GET /healthz HTTP/1.1" 500 219 "-" "' + CHECKER + '"',
]
NO_BREAK = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
PATHS = st.builds(
    "/{}{}{}".format,
    st.text(NO_BREAK, max_size=8),
    st.sampled_from(["", *TELLING]),
    st.text(NO_BREAK, max_size=8),
)


@st.composite
def visits(draw: st.DrawFn) -> str:
    form, path = draw(st.sampled_from(LOGGED)), draw(PATHS)
    # A request line has no quotes in it.
    return form.format(path.replace('"', "%22") if "HTTP/" in form else path)


@given(
    st.lists(st.tuples(st.integers(0, 30), visits()), min_size=1, max_size=4),
    st.sampled_from(
        [
            NO_MODULE,
            [*NO_VARIABLE, *BOOT_FAILED],
            [*NO_KEY_IN_A_DICT, *BOOT_FAILED],
            IN_USE,
            [*STARTED, CHECKED.format("/healthz", 503, CHECKER)],
            [*STARTED, BAD_HOST],
            STARTED,
            [],
        ]
    ),
    st.sampled_from([1, 5]),
)
def test_no_request_changes_the_reported_cause(
    requests: list[tuple[int, str]], lines: list[str], starts: int
) -> None:
    system = ("Started 1 new node", "Took too long")
    with_requests = list(lines)
    for place, line in requests:
        # Between two lines of a traceback nobody writes.
        if not any(one.startswith("Traceback") for one in lines):
            with_requests.insert(place, line)
        else:
            with_requests.insert(0 if place % 2 else len(with_requests), line)

    seen = [
        diagnose(symptoms(logs=app(*one, system=system, starts=starts)))
        for one in (lines, with_requests)
    ]

    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("lines", "kind", "cause", "advice"),
    [
        (
            ["[1] [ERROR] Worker (pid:7) was sent SIGKILL! Perhaps out of memory?"],
            Kind.APP_CRASH,
            "out of memory",
            "larger power",
        ),
        (
            ["[2026-11-22 19:03:26 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:7)"],
            Kind.APP_CRASH,
            "did not answer in time",
            "--timeout",
        ),
        (
            ["exec /app/start.sh: no such file or directory"],
            Kind.APP_CRASH,
            "no program /app/start.sh",
            "LF line endings",
        ),
        (
            [
                'runc create failed: unable to start container process: exec: "gunicron": '
                "executable file not found in $PATH: unknown"
            ],
            Kind.APP_CRASH,
            "no program gunicron",
            "Correct the command",
        ),
        (["exec /app/start.sh: permission denied"], Kind.APP_CRASH, "executed", "chmod +x"),
        (["sh: 1: gunicorn: not found"], Kind.APP_CRASH, "no program gunicorn", "install"),
        (["/bin/sh: gunicorn: Permission denied"], Kind.APP_CRASH, "gunicorn", "chmod +x"),
        (
            ["python: can't open file '/app/manage.py': [Errno 2] No such file or directory"],
            Kind.APP_CRASH,
            "no program /app/manage.py",
            "Correct",
        ),
        (["OSError: [Errno 98] Address already in use"], Kind.APP_CRASH, "in use", "port"),
        (["Segmentation fault (core dumped)"], Kind.APP_CRASH, "native code", "FAULTHANDLER"),
        (["*** no app loaded. going in full dynamic mode ***"], Kind.APP_CRASH, "load", "import"),
        (["Error: '$PORT' is not a valid port number."], Kind.APP_CRASH, "$PORT", "let a shell"),
        (
            ["django.db.utils.OperationalError: FATAL:  sorry, too many clients already"],
            Kind.DATABASE_UNREACHABLE,
            "no free connection",
            "max_connections",
        ),
        (
            [
                "django.db.utils.InternalError: cannot execute UPDATE in a read-only transaction",
            ],
            Kind.DATABASE_REFUSED,
            "read-only",
            "writer endpoint",
        ),
        (
            [*STARTED, CHECKED.format("/healthz", 301, CHECKER)],
            Kind.HEALTH_CHECK,
            "returned 301",
            "SECURE_REDIRECT_EXEMPT = ['^healthz$']",
        ),
        (
            [*STARTED, CHECKED.format("/healthz", 302, CHECKER)],
            Kind.HEALTH_CHECK,
            "returned 302",
            "without a login",
        ),
    ],
)
def test_the_cause_that_the_log_names_is_told_with_its_advice(
    lines: list[str], kind: FailureClass, cause: str, advice: str
) -> None:
    found = diagnose_app_log([*STARTED, *lines])

    assert found.kind is kind
    assert cause in found.what
    assert found.evidence == lines[-1]
    assert advice in found.next_action


@pytest.mark.parametrize(
    "line",
    [
        "Page: not found",
        "photo.jpg: Permission denied",
        "Killed 3 sessions that were idle",
        "crops.views: the module barley was not found in the shop",
        "smtplib: authentication failed",
        "waiting for the address of the sender",
    ],
)
def test_words_of_the_app_about_its_own_work_are_no_cause(line: str) -> None:
    assert cause_of(line) is None


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (
            "/entrypoint.sh: line 3:    12 Killed                  gunicorn app.wsgi",
            "out of memory",
        ),
        ("Killed", "out of memory"),
        ("MemoryError: no room for another answer", "no memory left"),
        ("./start: 4: exec: gunicorn: not found", "no program gunicorn"),
        ("entrypoint: line 4: gunicorn: command not found", "no program gunicorn"),
        ("/usr/bin/env: 'python\\r': No such file or directory", "Windows line endings"),
    ],
)
def test_the_lines_of_shells_name_their_cause(line: str, cause: str) -> None:
    found = cause_of(line)

    assert found is not None
    assert cause in found.what


@pytest.mark.parametrize(
    ("line", "cause", "advice"),
    [
        ("[ERROR] Unable to load application: No module named 'crops.asgi'", "load", "module"),
        (
            "gunicorn.errors.AppImportError: Failed to find application object 'application' in "
            "'crops.wsgi'",
            "load",
            "module",
        ),
        (
            "Error: class uri 'uvicorn.workers.UvicornWorker' invalid or not found: ",
            "worker class uvicorn.workers.UvicornWorker",
            "Install",
        ),
        ("PermissionError: [Errno 13] Permission denied: ('0.0.0.0', 80)", "port", "1024"),
        ("OSError: [Errno 99] Cannot assign requested address", "this address", "0.0.0.0"),
        ("[dumb-init] ./start.sh: Permission denied", "may not be executed", "chmod +x"),
        ("[dumb-init] ./start.sh: No such file or directory", "no program ./start.sh", "Correct"),
        ("Bus error (core dumped)", "native code", "FAULTHANDLER"),
        (
            "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by uwsgi)",
            "newer system",
            "same base image",
        ),
        (
            "Error relocating /usr/lib/x.so: __memcpy_chk: symbol not found",
            "another C library",
            "same base image",
        ),
        (
            "ImportError: cannot import name 'Crop' from partially initialized module "
            "'crops.models' (most likely due to a circular import) (/app/crops/models.py)",
            "import each other",
            "crops.models",
        ),
        (
            "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify "
            "failed: unable to get local issuer certificate (_ssl.c:1028)",
            "certificate",
            "ca-certificates",
        ),
    ],
)
def test_what_keeps_an_app_from_starting_is_named(line: str, cause: str, advice: str) -> None:
    found = cause_of(line)

    assert found is not None
    assert cause in found.what
    assert advice in found.action


@pytest.mark.parametrize(
    "line",
    [
        "redis.exceptions.ConnectionError: Error 99 connecting to localhost:6379. Cannot assign "
        "requested address.",
        'django.db.utils.OperationalError: connection to server at "localhost" (::1), port 5432 '
        "failed: Cannot assign requested address",
    ],
)
def test_a_service_that_is_not_reached_is_no_address_to_listen_at(line: str) -> None:
    found = cause_of(line)

    assert found is None or "listen" not in found.what


def test_a_log_that_no_rule_knows_is_quoted_and_not_said_to_be_silent() -> None:
    logs = app("licence expired", "bye", system=("Started 1 new node", "Took too long"))

    found = diagnose(symptoms(logs=logs))

    assert found.evidence == "licence expired | bye"
    assert "does not say why" not in found.what


def test_an_exception_explains_more_than_a_warning_of_a_shell() -> None:
    lines = ["sh: 1: gettext: not found", *NO_MODULE]

    found = diagnose(symptoms(logs=app(*lines)))

    assert found.evidence == "ModuleNotFoundError: No module named 'weather'"


def test_a_failing_health_check_is_explained_by_the_exception_of_its_own_request() -> None:
    raised = "ValueError: Missing staticfiles manifest entry for 'a.css'"
    lines = [
        *STARTED,
        "Internal Server Error: /healthz",
        "Traceback (most recent call last):",
        '  File "/app/views.py", line 3, in healthz',
        "LookupError: no weather",
        CHECKED.format("/healthz", 500, CHECKER),
        "Internal Server Error: /other",
        "Traceback (most recent call last):",
        raised.replace("ValueError", "KeyError"),
    ]

    found = diagnose(symptoms(logs=app(*lines)))

    assert found.evidence == "LookupError: no weather"


def test_the_last_lines_are_quoted_where_the_cause_is_unknown() -> None:
    found = diagnose(symptoms(logs=app("licence expired"), endpoint=None, gates=("migrate",)))

    assert found.kind is Kind.UNKNOWN
    assert found.evidence == "licence expired"


def test_an_exception_of_somebodys_request_does_not_say_that_the_app_ended() -> None:
    lines = [
        *STARTED,
        "Internal Server Error: /orders",
        "Traceback (most recent call last):",
        "ModuleNotFoundError: No module named 'weather'",
        "The above exception was the direct cause of the following exception:",
        "Traceback (most recent call last):",
        "ImportError: cannot import name 'rain' from 'weather'",
    ]

    found = diagnose(symptoms(logs=app(*lines, system=("Started 1 new node", "Took too long"))))

    assert "did not keep running" not in found.what


def test_an_exception_at_the_start_is_the_evidence_although_no_rule_knows_it() -> None:
    lines = ["Traceback (most recent call last):", "crops.NoBarley: none is left", "bye"]

    found = diagnose(symptoms(logs=app(*lines, system=("Started 1 new node", "Took too long"))))

    assert found.evidence == "crops.NoBarley: none is left"
    assert "SECURE_SSL_REDIRECT" not in found.next_action


@pytest.mark.parametrize(
    "rule", [*START_RULES, *APP_RULES, *MIGRATION_RULES, *ROW_RULES, *WEAK_RULES]
)
def test_the_texts_of_a_rule_fit_into_a_message(rule: LogRule) -> None:
    assert rule.cause.what.endswith(".")
    assert not rule.cause.action.endswith(".")


HARMLESS = [
    "chown: changing ownership of '/app/media': Operation not permitted",
    "mkdir: cannot create directory '/app/static': Permission denied",
    "PostgreSQL is unavailable - sleeping",
    "nc: bad address 'db'",
]
TOO_LONG = ("Started 1 new node", "Took too long")


@pytest.mark.parametrize("line", HARMLESS)
@pytest.mark.parametrize(
    ("after", "evidence_line"),
    [
        (CHECKED.format("/healthz", 404, CHECKER), "404"),
        ("django.db.utils.OperationalError: could not translate host name", "could not translate"),
    ],
)
def test_what_also_a_healthy_app_may_print_hides_no_other_cause(
    line: str, after: str, evidence_line: str
) -> None:
    found = diagnose(symptoms(logs=app(line, *STARTED, after, system=TOO_LONG)))

    assert evidence_line in (found.evidence or "")


@pytest.mark.parametrize("line", HARMLESS[2:])
def test_a_script_that_waited_and_went_on_is_not_the_cause(line: str) -> None:
    going_on = diagnose(symptoms(logs=app(line, "Booting worker", system=TOO_LONG)))
    waiting = diagnose(symptoms(logs=app("begins", line, system=TOO_LONG)))

    assert line not in (going_on.what, going_on.evidence)
    assert waiting.evidence == line


def test_why_a_driver_could_not_be_loaded_stands_in_the_exception_before() -> None:
    lines = [
        "Traceback (most recent call last):",
        "ImportError: libpq.so.5: cannot open shared object file: No such file or directory",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):",
        "django.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg module",
    ]

    for found in (diagnose(symptoms(logs=app(*lines))), diagnose_command(lines)):
        assert "lacks the library libpq.so.5" in found.what
