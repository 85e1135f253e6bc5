"""How a command is run: its time, its signals, its arguments, its output, its failure."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightgate.gate.packaging import program_text
from lightgate.gate.report_reader import read_gate_report
from tests.gate.programs import (
    RELEASE,
    Program,
    Runner,
    after,
    catches,
    eventually,
    facts,
    free_port,
    killed_while_closing,
    resident_kilobytes,
    shell,
)

STOPS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_the_last_event_says_what_the_command_has_used(runner: Runner) -> None:
    busy = "x = bytearray(64 << 20); [sum(range(10 ** 6)) for _ in range(20)]"
    migrate = runner.supervisor(python(busy))

    ended = migrate.event("succeeded")

    assert 0.05 < ended["cpuSeconds"] < 60
    assert 64 <= ended["megabytes"] < 1024
    report = read_gate_report(RELEASE, {"migrate": [json.dumps(ended)]})
    assert (report.cpu_seconds, report.megabytes) == (ended["cpuSeconds"], ended["megabytes"])


# The time limit


@pytest.mark.representatives(1)
def test_the_time_limit_ends_the_whole_group_and_is_the_reason(
    runner: Runner, any_python: str
) -> None:
    port = free_port()
    family = "trap '' TERM; (trap '' TERM; echo child $$; sleep 60) & sleep 60 & echo pid $!; wait"
    migrate = runner.supervisor(shell(family), python=any_python, port=port, timeoutSeconds=2)
    failed = migrate.event("failed")
    assert failed["cause"] == "timeout"
    assert "2 s" in failed["error"]
    assert "exitCode" not in failed
    pids = [int(line.split()[1]) for line in migrate.command_output.splitlines()]
    assert len(pids) == 2
    eventually(lambda: not any(map(is_running, pids)), "something of the group survived")
    assert facts(port, "FAILED")
    assert migrate.is_alive()


@pytest.mark.parametrize("has_ended", [False, True])
def test_the_time_limit_ends_what_the_command_has_put_into_sessions_of_its_own(
    runner: Runner, has_ended: bool
) -> None:
    """As dumb-init does. The one that starts it may end of TERM before the limit of the grace."""
    starter = "" if has_ended else "trap '' TERM; "
    deep = (
        "(trap '' TERM; setsid sh -c 'trap \"\" TERM; echo pid $$; sleep 60 & wait' & wait) & wait"
    )
    migrate = runner.supervisor(shell(starter + deep), timeoutSeconds=2)
    assert migrate.event("failed")["cause"] == "timeout"
    pids = [int(line.split()[1]) for line in migrate.command_output.splitlines()]
    assert len(pids) == 1
    eventually(lambda: not is_running(pids[0]), "the session survived")


def test_a_command_that_ends_leaves_nothing_running(runner: Runner) -> None:
    migrate = runner.supervisor(shell("sleep 60 & echo $!"))
    migrate.event("succeeded")
    pid = int(migrate.command_output.split()[0])
    eventually(lambda: not is_running(pid), "it survived")


def test_after_a_time_limit_the_exit_code_is_124(runner: Runner) -> None:
    assert (
        runner.supervisor(shell("sleep 9"), timeoutSeconds=0.1, afterFailure="exit").ends() == 124
    )


# Signals


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_signal_ends_an_idle_supervisor_quickly(runner: Runner, number: int) -> None:
    for script, event in (("true", "succeeded"), ("false", "failed")):
        migrate = runner.supervisor(shell(script))
        migrate.event(event)
        began = time.monotonic()
        migrate.told(number)
        assert migrate.ends() == 0
        assert time.monotonic() - began < 5


def test_term_ends_a_supervisor_that_waits_for_another(runner: Runner) -> None:
    port = free_port()
    refused = runner.supervisor(shell("true"), after=[after("base", port)])
    refused.event("waiting")
    refused.told(signal.SIGTERM)
    assert refused.ends() == 143
    runner.supervisor(shell("sleep 20"), container="base", port=port)
    facts(port, "START")
    held = runner.supervisor(shell("true"), after=[after("base", port)])
    held.event("waiting")
    held.told(signal.SIGTERM)
    assert held.ends() == 143
    assert held.named("failed") == []


def test_a_supervisor_that_is_stopped_reports_that_it_began_nothing_only_if_it_did_not(
    runner: Runner,
) -> None:
    waits = runner.supervisor(shell("true"), after=[after("base", free_port())])
    waits.event("waiting")
    works = runner.supervisor(shell("echo on; sleep 60"))
    works.says(b"on")
    done = runner.supervisor(shell("true"))
    done.event("succeeded")

    for supervisor in (waits, works, done):
        supervisor.told(signal.SIGTERM)
        supervisor.ends()

    assert [len(one.named("stopped")) for one in (waits, works, done)] == [1, 0, 0]


def test_term_during_the_health_check_ends_both(runner: Runner) -> None:
    check = {
        "command": shell("echo $$ is on; sleep 9"),
        "interval": 1,
        "timeout": 60,
        "retries": 1,
    }
    migrate = runner.supervisor(shell("echo ran"), healthCheck={**check, "startPeriod": 0})
    migrate.says(b" is on\n")
    migrate.told(signal.SIGTERM)
    assert migrate.ends() == 143
    assert not is_running(int(migrate.command_output.split()[0]))
    assert b"ran" not in migrate.output


@pytest.mark.parametrize("script", ["sleep 60", "trap '' TERM; while :; do sleep 0.1; done"])
def test_term_during_the_command_ends_it_and_says_so(runner: Runner, script: str) -> None:
    migrate = runner.supervisor(shell(f"echo $$ is on; {script}"))
    migrate.says(b" is on\n")
    migrate.told(signal.SIGTERM)
    assert migrate.ends() == 143
    assert migrate.event("failed")["cause"] == "signal"
    assert migrate.event("failed")["detail"] == "stopped"
    assert not is_running(int(migrate.command_output.split()[0]))


def test_a_command_that_was_stopped_is_no_success_even_if_it_exits_with_0(runner: Runner) -> None:
    migrate = runner.supervisor(shell("trap 'exit 0' TERM; echo on; while :; do sleep 0.05; done"))
    migrate.says(b"on")
    migrate.told(signal.SIGTERM)
    assert migrate.ends() == 143
    assert migrate.named("succeeded") == []


@pytest.mark.parametrize("name", ["HUP", "USR1", "USR2", "WINCH"])
def test_signals_are_forwarded_to_the_command(runner: Runner, name: str) -> None:
    migrate = runner.supervisor(
        shell(f"trap 'echo got; exit 0' {name}; echo on; while :; do sleep 0.05; done")
    )
    migrate.says(b"on")
    migrate.told(getattr(signal, "SIG" + name))
    migrate.event("succeeded")
    assert b"got" in migrate.output


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_ends_a_waiter_while_it_waits(runner: Runner, number: int) -> None:
    port = free_port()
    alone = runner.waiter(shell("true"), after=[after("migrate", port)])
    # It has no word to say that it is ready; of its handlers the one for QUIT comes last.
    eventually(lambda: catches(alone.process.pid, signal.SIGQUIT), "no handler", alone)
    alone.told(number)
    assert alone.ends() == 128 + number
    assert alone.errors == b""


def test_a_signal_ends_a_waiter_while_it_closes_a_connection(
    runner: Runner, any_python: str
) -> None:
    port = free_port()
    runner.supervisor(shell("true"), port=port).event("succeeded")
    source = killed_while_closing("socket.socket", program_text("waiter"))
    config = {"release": RELEASE, "container": "web", "after": [after("migrate", port)]}

    waiter = runner.program(source, config, shell("echo up"), any_python, {})

    assert waiter.ends() == 128 + signal.SIGTERM
    assert (waiter.command_output, waiter.errors) == (b"", b"")


def test_the_command_gets_the_signals_of_a_fresh_process(runner: Runner, any_python: str) -> None:
    look = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    direct = subprocess.run(look, capture_output=True, check=True, restore_signals=True).stdout
    waiter = runner.waiter(look, python=any_python)
    assert waiter.ends() == 0
    assert signal_masks(waiter.command_output) == signal_masks(direct)
    supervised = runner.supervisor(look, python=any_python)
    supervised.event("succeeded")
    assert signal_masks(supervised.command_output) == signal_masks(direct)


def signal_masks(status: bytes) -> list[int]:
    """Of signals 1 to 31: posix_spawn of glibc ignores one that it keeps for itself, 33."""
    return [int(line.split()[1], 16) & 0x7FFFFFFF for line in status.splitlines()]


def test_a_command_killed_from_outside_failed_by_that_signal(runner: Runner) -> None:
    failed = runner.supervisor(shell("kill -9 $$"), afterFailure="exit")
    assert failed.ends() == 137
    assert failed.event("failed")["cause"] == "signal"
    assert failed.event("failed")["exitCode"] == 137


# Arguments, environment, surroundings

AWKWARD = ["a b", "", "'\"`", "x\ny", "$HOME $(id)", "\\", "*", "-c", "h\u00e4\u4e2d"]


def test_arguments_and_environment_arrive_as_they_were(runner: Runner, any_python: str) -> None:
    environment = {"PATH": os.environ["PATH"], "ODD": "a=b\n\u00e4", "LANG": "C"}
    # The one that shows must not be Python: it would add a variable of its own.
    command = ["sh", "-c", 'printf "%s\\0" "$@"; exec env -0', "sh", *AWKWARD]
    plain = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    options = {"env": environment}
    waiter = runner.waiter(command, python=any_python, options=options)
    assert waiter.ends() == 0
    assert waiter.output.partition(b"\n")[2] == plain
    supervisor = runner.supervisor(command, python=any_python, options=options)
    supervisor.event("succeeded")
    assert supervisor.output.partition(b"\n")[2].startswith(plain)


@pytest.mark.parametrize("module", ["socket.py", "json.py", "select.py", "re.py"])
def test_modules_of_the_app_do_not_shadow_ours(runner: Runner, module: str, tmp_path: Path) -> None:
    (tmp_path / module).write_text("raise SystemExit('shadowed')")
    options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(tmp_path)}}
    assert runner.waiter(["true"], options=options).ends() == 0
    runner.supervisor(["true"], options=options).event("succeeded")


def test_the_command_has_no_input(runner: Runner) -> None:
    runner.supervisor(shell('test -z "$(cat)"'), timeoutSeconds=5).event("succeeded")


def test_the_command_inherits_no_descriptor_of_ours(runner: Runner) -> None:
    migrate = runner.supervisor(shell("ls /proc/self/fd | tr '\\n' ' '"))
    migrate.event("succeeded")
    assert migrate.command_output.split() == [b"0", b"1", b"2", b"3"]  # 3 is that of ls itself


# Output


def test_megabytes_without_a_newline_arrive_whole(runner: Runner, any_python: str) -> None:
    command = python("import os\nfor i in range(128): os.write(1, bytes([65 + i % 26]) * 65536)")
    migrate = runner.supervisor(command, python=any_python)
    migrate.event("succeeded")
    assert migrate.command_output.rstrip(b"\n") == b"".join(
        bytes([65 + i % 26]) * 65536 for i in range(128)
    )


def test_many_lines_arrive_whole_and_in_order(runner: Runner) -> None:
    migrate = runner.supervisor(["seq", "100000"])
    migrate.event("succeeded")
    assert migrate.command_output.split() == [b"%d" % n for n in range(1, 100001)]


def test_binary_junk_arrives_as_it_was(runner: Runner) -> None:
    junk = bytes(range(256)) * 64
    migrate = runner.supervisor(python("import os; os.write(1, bytes(range(256)) * 64); 1 / 0"))
    failed = migrate.event("failed")
    assert junk in migrate.output
    assert failed["error"] == "ZeroDivisionError: division by zero"


def test_a_command_reports_that_it_begins_before_it_starts(runner: Runner, any_python: str) -> None:
    port = free_port()
    migrate = runner.supervisor(shell("sleep 60"), python=any_python, port=port)

    assert facts(port, "START")

    assert "migration" not in migrate.event("applying")


def test_an_unfinished_line_is_passed_on_while_the_command_is_quiet(runner: Runner) -> None:
    migrate = runner.supervisor(shell("printf 'half'; sleep 60"))
    migrate.says(b"half")


def test_an_event_never_stands_in_the_middle_of_a_line(runner: Runner) -> None:
    migrate = runner.supervisor(shell("printf half; sleep 0.3; exit 2"))
    migrate.event("failed")
    assert b'\nhalf\n{"lightgate"' in migrate.output


@pytest.mark.parametrize("script", ["exec >&-", "exec | :"])
def test_a_closed_output_does_not_stop_the_command(
    runner: Runner, script: str, tmp_path: Path
) -> None:
    done, port = tmp_path / "done", free_port()
    reader, writer = os.pipe()
    os.close(reader)
    options = {"stdout": writer}
    if ">&-" in script:
        options["preexec_fn"] = lambda: os.close(1)  # type: ignore[assignment]
    command = shell(f"seq 20000; sleep 0.2; seq 20000; touch {done}")
    runner.supervisor(command, port=port, options=options)
    os.close(writer)
    assert facts(port, "SUCCESS")
    assert done.exists()


def test_a_reader_that_stopped_reading_suspends_neither_time_limit_nor_answers(
    runner: Runner,
) -> None:
    port = free_port()
    reader, writer = os.pipe()
    migrate = runner.supervisor(["yes"], port=port, timeoutSeconds=0.5, options={"stdout": writer})
    os.close(writer)
    assert facts(port, "FAILED")
    assert resident_kilobytes(migrate.process.pid) < 30 * 1024
    os.close(reader)


# Failures


@pytest.mark.parametrize("after_failure", ["hold", "exit"])
def test_a_failure_says_why_and_holds_or_exits(runner: Runner, after_failure: str) -> None:
    code = (
        "import sys\nprint('begin', flush=True)\n"
        "def f(n):\n    if n: f(n - 1)\n    else: raise KeyError('k')\n"
        "try: f(3)\nexcept KeyError as e: raise ValueError('bad\\nDETAIL: row 7') from e"
    )
    migrate = runner.supervisor(python(code), afterFailure=after_failure)
    failed = migrate.event("failed")
    assert failed["cause"] == "exit"
    assert failed["exitCode"] == 1
    assert failed["error"] == "ValueError: bad"
    lines = failed["lastLines"]
    assert lines[-1] == "DETAIL: row 7"
    assert lines.index("KeyError: 'k'") < lines.index("ValueError: bad")
    assert failed["migrationsApplied"] == []
    if after_failure == "exit":
        assert migrate.ends() == 1
    else:
        assert migrate.is_alive()
    assert len(migrate.named("failed")) == 1


def test_a_report_stays_small(runner: Runner) -> None:
    code = "import sys\nfor _ in range(50): print('\\U0001f600' * 3000)\nsys.exit(5)"
    failed = runner.supervisor(python(code), options={"env": {**os.environ, "PYTHONUTF8": "1"}})
    event = failed.event("failed")
    assert event["exitCode"] == 5
    assert len(json.dumps(event)) < 8192
    assert all(len(line) <= 500 for line in event["lastLines"])


def test_a_report_does_not_contain_the_secrets_of_the_environment(runner: Runner) -> None:
    options = {"env": {**os.environ, "DATABASE_URL": "postgres://u:hunter2hunter2@db/x"}}
    migrate = runner.supervisor(
        shell("echo cannot reach $DATABASE_URL; exit 1"),
        secretNames=["DATABASE_URL"],
        options=options,
    )
    assert migrate.event("failed")["error"] == "cannot reach ***"
    assert "hunter2" not in json.dumps(migrate.events)


def test_a_report_contains_no_other_form_of_a_secret_either(
    runner: Runner, any_python: str
) -> None:
    key = "w\u00f6rd-2/of hunter"
    show = """if True:
        import base64, os, sys
        from urllib.parse import quote, quote_plus
        key = os.environ["KEY"]
        out = os.fdopen(1, "wb")
        lines = [quote(key, safe=""), quote_plus(key), key[:4] + "\\x1b[K" + key[4:]]
        lines += [repr(key.encode()), base64.b64encode(b"user:" + key.encode()).decode()]
        lines.append(os.environb[b"OLD"])
        codes = base64.b32encode, base64.b85encode, base64.a85encode
        lines += [code(key.encode()).decode().rstrip("=") for code in codes]
        hexadecimal = key.encode().hex()
        for mark in (":", " ", "="):
            pairs = (hexadecimal[at : at + 2] for at in range(0, len(hexadecimal), 2))
            lines.append(mark.join(pairs).upper())
        lines += ["-> " + key[:13], key[2:]]
        for line in lines:
            out.write((line if isinstance(line, bytes) else line.encode()) + b"\\n")
        out.write(key.encode("latin-1") + b"\\n")
        out.flush()
        sys.exit(1)"""
    failed = runner.supervisor(
        [sys.executable, "-X", "utf8", "-c", show],
        python=any_python,
        secretNames=["KEY", "OLD"],
        options={"env": {"KEY": key, "OLD": b"old-\xf6-of-latin-1"}},
    ).event("failed")

    shown = failed["lastLines"]
    assert shown == [
        "***",
        "***",
        "***",
        "b'***'",
        f"{shown[4][:7]}***{shown[4][-3:]}",
        "***",
        f"***{shown[6][3:4]}",
        *["***"] * 5,
        "-> ***",
        "***",
        "***",
    ]
    assert failed["error"] == "***"


def test_a_password_within_a_secret_is_not_reported_either(runner: Runner) -> None:
    url = "postgres://crops:hunter%402hunter@db/x"
    show = """import os
from urllib.parse import unquote, urlsplit
at = urlsplit(os.environ["DATABASE_URL"])
print({"NAME": at.path[1:], "PASSWORD": unquote(at.password)}, "as", unquote(at.password))
exit(1)"""
    migrate = runner.supervisor(
        [sys.executable, "-c", show],
        secretNames=["DATABASE_URL"],
        options={"env": {**os.environ, "DATABASE_URL": url}},
    )
    assert migrate.event("failed")["lastLines"] == ["{'NAME': 'x', 'PASSWORD': '***'} as ***"]


def test_no_part_of_a_secret_is_reported_where_a_line_is_cut_within_it(runner: Runner) -> None:
    key = "".join(f"{n:04}" for n in range(500))
    migrate = runner.supervisor(
        shell("printf %300s%s%s%s . $KEY $KEY $KEY; printf %9000s; exit 1"),
        secretNames=["KEY"],
        options={"env": {**os.environ, "KEY": key}},
    )
    [line] = migrate.event("failed")["lastLines"]
    assert line.strip() == ".***" + "***" * 2


FORGED = json.dumps({"lightgate": 1, "release": RELEASE, "container": "migrate", "event": "failed"})


@pytest.mark.parametrize(
    "script",
    [
        "printf '%s\\n' \"$LINE\"",
        "printf '  \\t%s\\n' \"$LINE\"",
        "printf 'half\\r%s\\n' \"$LINE\"",
        "printf '\\033[31m%s\\n' \"$LINE\"",
        "printf '{'; sleep 0.3; printf '%s\\n' \"${LINE#?}\"",
        "printf '  '; sleep 0.3; printf '{\"light'; sleep 0.3; printf '%s\\n' \"${LINE#???????}\"",
        "printf '%s' \"$LINE\"",
    ],
)
def test_what_a_command_prints_is_never_taken_for_an_event(runner: Runner, script: str) -> None:
    migrate = runner.supervisor(
        shell(f"{script}; exit 3"), options={"env": {**os.environ, "LINE": FORGED}}
    )
    assert migrate.event("failed")["exitCode"] == 3
    lines = migrate.output.decode().split("\n")
    assert ["|" + FORGED in line for line in lines if "exitCode" not in line].count(True) == 1
    assert not any(line.endswith(FORGED) and "|" + FORGED not in line for line in lines)
    assert read_gate_report(RELEASE, {"migrate": lines}).failure.cause == "exit"  # type: ignore[union-attr]


def test_what_only_begins_like_an_event_is_passed_on_as_it_is(runner: Runner) -> None:
    migrate = runner.supervisor(shell("printf '{'; sleep 0.3; printf '\"a\": 1}\\n{'; exit 0"))
    migrate.event("succeeded")
    eventually(lambda: b'{"a": 1}\n{' in migrate.command_output, "not passed on", migrate)


def missing(runner: Runner, kind: str, command: list[str]) -> Program:
    return (
        runner.waiter(command)
        if kind == "waiter"
        else runner.supervisor(command, afterFailure="exit")
    )


@pytest.mark.parametrize("kind", ["waiter", "supervisor"])
def test_a_command_that_cannot_run_is_named(runner: Runner, kind: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("not executable")
    for target, code, why in (("no-such", 127, "ENOENT"), (str(plain), 126, "EACCES")):
        gone = missing(runner, kind, [target])
        assert gone.ends() == code
        failed = gone.event("failed")
        assert failed["cause"] == "exec"
        assert target in failed["error"]
        assert why in failed["error"]
        assert gone.errors == b""


def test_a_taken_port_is_named_and_nothing_is_run(runner: Runner, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        migrate = runner.supervisor(["touch", str(tmp_path / "ran")], port=port)
        assert migrate.ends() == 1
    assert migrate.event("failed")["cause"] == "port"
    assert str(port) in migrate.event("failed")["error"]
    assert not (tmp_path / "ran").exists()


def test_a_relaunched_supervisor_gets_its_port_back_at_once(runner: Runner) -> None:
    port = free_port()
    first = runner.supervisor(shell("true"), port=port)
    first.event("succeeded")
    with socket.create_connection(("127.0.0.1", port), 5):
        first.told(signal.SIGTERM)
        assert first.ends() == 0
        runner.supervisor(shell("true"), port=port).event("succeeded")


def check(command: list[str], retries: int) -> dict[str, object]:
    return {
        "command": command, "interval": 0.05, "timeout": 5, "retries": retries, "startPeriod": 0
    }  # fmt: skip


def test_the_health_check_is_tried_again_before_the_command(runner: Runner, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    third = shell(f"echo x >> {tries}; test $(wc -l < {tries}) -ge 3")
    runner.supervisor(shell("true"), healthCheck=check(third, 2)).event("succeeded")
    assert tries.read_text().count("x") == 3


def test_a_failing_health_check_keeps_the_command_from_running(runner: Runner) -> None:
    migrate = runner.supervisor(
        shell("echo ran"),
        healthCheck=check(shell("echo could not connect; exit 1"), 2),
        afterFailure="exit",
    )
    assert migrate.ends() == 1
    failed = migrate.event("failed")
    assert failed["cause"] == "preflight"
    assert "could not connect" in failed["error"]
    assert migrate.command_output.count(b"could not connect") == 3
    assert b"ran" not in migrate.output.replace(b"ran out", b"")


def test_a_hanging_health_check_is_ended(runner: Runner) -> None:
    hanging = {**check(["sleep", "60"], 0), "timeout": 0.1}
    failed = runner.supervisor(shell("true"), healthCheck=hanging).event("failed")
    assert failed["cause"] == "preflight"
    assert "0.1 s" in failed["error"]


def test_an_event_that_is_too_long_keeps_the_newest_lines_and_says_how_many_are_missing(
    runner: Runner,
) -> None:
    lines = " ".join(f"{n}-{'x' * 490}" for n in range(25))
    failed = runner.supervisor(shell(f"for l in {lines}; do echo $l; done; exit 3")).event("failed")

    shown = failed["lastLines"]
    assert shown[-1].startswith("24-")
    assert failed["omitted"] == {"lastLines": 20 - len(shown)}
    assert 10 < len(shown) < 20
    assert len(json.dumps(failed)) <= 8000


def test_a_fault_of_the_gate_itself_is_an_event_and_leaves_nothing_running(
    runner: Runner, any_python: str
) -> None:
    fault = "import os\ndef fails(*_):\n    raise KeyError('odd')\nos.waitpid = fails\n"
    config = {"release": RELEASE, "container": "migrate", "after": [], "port": free_port()}
    gate = runner.program(
        f"{fault}exec({program_text('supervisor')!r})",
        config,
        shell("sleep 60 & echo $!; exit 3"),
        any_python,
        {},
    )

    assert gate.ends() == 1
    assert gate.event("failed")["error"] == "KeyError: 'odd'"
    assert b"Traceback" in gate.errors
    assert not is_running(int(gate.command_output.split()[0]))


def test_a_gate_with_too_few_descriptors_says_so(runner: Runner) -> None:
    limited = {"prefix": ["prlimit", "--nofile=9"]}
    failed = runner.supervisor(shell("true"), options=limited).event("failed")
    assert (failed["cause"], failed["error"]) == (
        "exec",
        "cannot run 'sh': Too many open files (EMFILE)",
    )
