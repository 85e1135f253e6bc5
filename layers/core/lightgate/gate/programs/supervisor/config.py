"""The configuration of a supervisor: what the compiler writes, and the environment."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from lightgate.gate.programs.supervisor.masking import secret_parts

# The compiler leaves out what is as here: each container has its configuration as text.
DEFAULTS = {
    "mode": "task",
    "timeoutSeconds": 600,
    "graceSeconds": 10,
    "afterFailure": "exit",
    "healthCheck": None,
    "secretNames": [],
}
NAME = "[A-Za-z0-9._-]{1,128}"
DEPENDENCY = re.compile(f"({NAME}):([0-9]{{1,5}})(?::(START|HEALTHY|COMPLETE))?")
CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}
DJANGO_DEFAULTS = {
    "manage": ["python", "manage.py"],
    "script": 1,
    "migrate": 2,
    "database": "default",
    "policy": "warn",
    "allowDestructive": False,
    "automaticRollback": ["compatible", "restricted"],
    "declared": {},
    "lockRisk": "warn",
    "largeTableRows": 500_000,
    "lockTimeoutSeconds": 2,
    "requireLock": True,
    "databaseTimeoutSeconds": 60,
    "restores": "",
}


def read_config(text: str, command: list[str], urls: str) -> dict[str, Any]:
    config: dict[str, Any] = dict.fromkeys(
        ("django", "mailbox", "classifier", "pendingCommand", "pending")
    )
    config.update(
        {"before": [], "then": [], **DEFAULTS}, **json.loads(text.translate({34: 39, 39: 34}))
    )
    after, check, limit = config["after"], config["healthCheck"], config["timeoutSeconds"]
    if check is not None:
        config["healthCheck"] = check = {**CHECK_DEFAULTS, **check}
    django = config["django"]
    if django is not None:
        config["django"] = django = {**DJANGO_DEFAULTS, **django}
        config["helper"], command = command[0], command[1:]
    if config["mailbox"] is not None:
        config["s3Client"], command = command[0], command[1:]
    if config["classifier"]:
        config["classifier"], command = command[0], command[1:]
    # `unchecked` if a person has overridden the check.
    config["code"], config["rollback"] = config["release"], os.environ.get("LIGHTGATE_ROLLBACK")
    if config["rollback"]:  # the URLs, if there are any, have expired
        config.update(release=os.environ["LIGHTGATE_RELEASE"], mailbox=None)
    mailbox = config["mailbox"]
    if mailbox is not None:
        mailbox.update(json.loads(urls))
    commands = [command, *config["before"], *config["then"]]
    numbers, flags, strings = [config["graceSeconds"], 0 if limit is None else limit], [], []
    if config["pendingCommand"] is not None:
        commands.append(config["pendingCommand"])
    if mailbox is not None:
        numbers += [mailbox[key] for key in ("pollSeconds", "patienceSeconds", "reachSeconds")]
        parts = ("permit", "classifier", "status", "plan", "result")
        strings = [mailbox["url"], *(mailbox["signatures"][name] for name in parts)]
    if django is not None:
        commands.append(django["manage"])
        numbers += [django["script"], django["migrate"]]
        keys = ("lockTimeoutSeconds", "databaseTimeoutSeconds", "largeTableRows")
        numbers += [django[key] for key in keys]
        flags = [django["allowDestructive"], django["requireLock"], bool(django["database"] + "")]
        strings += [django["classifier"], django["restores"], *django["automaticRollback"]]
        strings += django["declared"].values()
    if check is not None:
        commands.append(check["command"])
        numbers += [check[key] for key in ("interval", "timeout", "retries", "startPeriod")]
    found = [DEPENDENCY.fullmatch(one) for one in after]
    config["after"] = [one.groups("SUCCESS") for one in found if one]
    ports = [config["port"], *(int(port) for _, port, _ in config["after"])]
    for what, is_right in (
        ("after", isinstance(after, list) and all(found)),
        ("name", all(re.fullmatch(NAME, config[key]) for key in ("release", "container"))),
        ("port", all(type(port) is int and 0 < port < 65536 for port in ports)),
        ("mode", config["mode"] in ("task", "service")),
        ("afterFailure", config["afterFailure"] in ("hold", "exit")),
        ("policy", django is None or django["policy"] in ("allow", "warn", "block")),
        ("lockRisk", django is None or django["lockRisk"] in ("warn", "block")),
        ("django", all(type(one) is bool for one in flags)),
        ("pending", not config["pending"] or mailbox is not None or config["rollback"]),
        ("mailbox", all(type(one) is str for one in strings)),
        ("number", all(type(n) in (int, float) and 0 <= n <= 10**7 for n in numbers)),
        ("command", all(is_argv(argv) for argv in commands)),
    ):
        if not is_right:
            raise ValueError(f"{what} is missing or wrong")
    config["command"] = command
    secrets = [os.fsencode(os.environ.get(name, "")) for name in config.get("secretNames", [])]
    config["secrets"] = secret_parts([one.decode("utf-8", "replace") for one in secrets])
    return config


def is_argv(value: object) -> bool:
    return (
        isinstance(value, list) and value != [] and b"\0" not in b"".join(map(os.fsencode, value))
    )
