"""The reference of the app spec: ``python -m local.tools.spec_reference``.

It writes `docs/spec.md` and `docs/spec.schema.json` from the keys of the spec, the presets and the
compiler. With ``--check`` it writes nothing, and the exit code is 1 if one of the two is old.
"""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightgate.deployment.compiler import (
    LARGEST_REQUEST_BYTES,
    ImageSource,
    compile_deployment,
)
from lightgate.gate.packaging import program_text
from lightgate.image.config import ImageConfig
from lightgate.json_reader import LONGEST_TEXT
from lightgate.spec.health_rules import check_interval, health_rules
from lightgate.spec.key_types import MOST_CONTAINERS
from lightgate.spec.keys import DEFAULT_TIMEOUT_SECONDS, PLATFORM_PATIENCE_SECONDS, Stage
from lightgate.spec.parser import LONGEST_SPEC_BYTES, parse_spec
from lightgate.spec.presets import preset
from local.tools.spec_schema import schema

_ROOT = Path(__file__).parents[2]
PAGE = _ROOT / "docs" / "spec.md"
SCHEMA = _ROOT / "docs" / "spec.schema.json"

_LINE = 88
_OPENING = """\
# The app spec

The spec of an app is one JSON document in the parameter `/lightgate/apps/<app>`, where `lightgate`
is the name of the stack: adding an app is adding a parameter. It is the
`containers-with-migrations.json` that describes containers and what they wait for, with a little
more around it. Check it before you release it:

```sh
lightgate validate containers-with-migrations.json
lightgate plan containers-with-migrations.json --image-config image.json
```

`pipx install .` in a checkout installs [the command](command-line.md), and these two call no AWS
service. `make validate SPEC=file` runs it without an installation. `validate` names the problems of
the spec, each with its place. `plan` shows the deployment that Lightgate would create, and with
`--full` the exact request. Both warn of what is valid and
[does not work](#what-is-valid-and-does-not-work). `image.json` is the output of
`docker image inspect IMAGE`. With it both check what the image itself runs. `plan` needs it if a
container gives no `command`. For an editor that
knows JSON Schema there is [spec.schema.json](spec.schema.json). To begin with, copy one of the
[examples](../examples/specs).

Unknown keys are errors. `{{` is refused in every text: the parameter store would not take it.
"""

_AROUND = """\
## Before and after migrate

The gate relies on the plan of one call of `migrate`. So the command of a container that migrates is
that call and nothing else. It may stand behind a program that only runs it, such as `timeout`,
`env`, `tini --`, `doppler run --`, `poetry run`, `uv run` or `ddtrace-run`, or alone in
`["sh", "-c", "…"]`. For any other program that is Django's manage.py, name its words in `manage`.
Everything else goes into `before` and `then`. `validate` prints how to split a longer command:

```json
{
  "before": [["python", "manage.py", "makemigrations", "--check", "--dry-run"]],
  "command": ["python", "manage.py", "migrate", "--noinput"],
  "then": [["python", "manage.py", "collectstatic", "--noinput"]]
}
```

- `before` runs first, and the gate reads the plan afterwards. So migrations that `makemigrations`
  makes there are in the plan. `then` runs when everything is migrated.
- Both run in every release of new code, also if nothing is pending. The commands of the stage and
  those of the container run in this order: stage, container, `migrate`, stage, container.
- Each command runs only if the one before it succeeded, and `timeoutSeconds` is for all of them
  together. The wait for a permit does not count. If one fails, the message names it and its step.
- Once a release has succeeded, a node that Lightsail starts again runs neither. A release that was
  cut off in them runs all of `before` again, and all of `then`, so they must allow that. Without
  the right to create the table `lightgate_attempt` they run at each start. With several nodes, each
  node runs `before`, and one node after the other runs `then`, until one has succeeded.
- A rollback runs neither.
- If nothing is pending, `migrate` runs only if the app, or a package of it, has handlers of
  `pre_migrate` or `post_migrate`, once in each release. It also runs if its last run failed.
- Lightgate does not judge what they do to rows. If they change the schema or apply a migration, the
  release fails with the class `unplanned-change`.
"""

_CONDITIONS = """\
## What a container can wait for

| condition | holds as soon as the other container |
| --- | --- |
| `START` | has been started |
| `COMPLETE` | has ended, with any exit code |
| `SUCCESS` | has ended with exit code 0 |
| `HEALTHY` | has passed its `healthCheck` once; it must have one |

A container that another one waits for with `SUCCESS` or `HEALTHY` is a *gate*. The container of the
public endpoint must wait for every gate, directly or through others: otherwise it would serve even
if the gate failed, and such a spec is refused. Containers must not wait in a circle. No container
can be waited for both until it ends and until it is healthy.

A container that waits for another one, or that another one waits for, runs the gate, so its image
needs Python 3.8 or later. If it runs another image than the pushed one, name its interpreter in
`python`, and give it a `command`. An image without Python, such as `redis`, runs beside the others:
it has no `dependsOn`, and no container depends on it. Let the app try its first connection again.
A command that must end has {timeout} seconds unless `timeoutSeconds` says otherwise. AWS does not
publish how long Lightsail waits for a deployment. Lightgate assumes `platformPatienceSeconds`, by
default {patience}.

## Which image a container runs

The container of `publicEndpoint`, and each one that is waited for until it ends or that runs
`migrate`, runs the image that was pushed. An `image` there is refused, unless it is the label of
the service's image store, as in the guide. One label stands for the pushed image in all containers;
a second label, or a number such as `:crops-backend.web.4`, is refused.

Any other container may run another image, with its digest: `redis:7@sha256:…`. At least one
container runs the pushed image. A tag alone is refused, because it can become another image at any
time. `docker buildx imagetools inspect redis:7` prints the digest. `validate`, `plan` and the
message of each release name every such image.

So an image such as `nginx` cannot stand in front of the app: name the container of the app in
`publicEndpoint`. Lightsail itself terminates TLS and forwards the requests. To serve static files,
use WhiteNoise, or install nginx in the app's own image.
"""

_VERIFICATION = """\
## When a version counts as good

A deployment that Lightsail calls active has only passed Lightsail's own health check. So Lightgate
checks the new version for `watchSeconds` more, the *watch period*, and the release succeeds only
after that. In each *health check* Lightgate verifies that the service still runs this version, and
requests `path` at its public URL. A health check fails if

- no answer comes, or it takes longer than `latencySeconds`,
- its status code is not one of `successCodes`, or
- it lacks the header of `expectHeader` or the text of `expectText`.

Between two health checks there is a twelfth of the period, at least {shortest} and at most
{longest} seconds. With the defaults it is {usual} seconds: an app that gives no good answer has
failed after half a minute. A version

- is **good** if the period is over, the last `answersNeeded` health checks passed, and no more than
  a fifth of the last ones failed;
- has **failed** if `failuresInARow` health checks in a row failed, or if more than `failuresInARow`
  of the last five times as many failed. It has failed as well if it is not good a minute after the
  period, or a few health checks later if only a few fit into a minute;
- was **replaced** if another deployment has taken its place. Then it has neither passed nor failed.

One slow or lost answer does not fail a version. If a version has failed, Lightgate rolls back to
the last good one, if that one can work with the database as it is now. A longer period notices
more, but each release takes longer. With `"watchSeconds": 0` a version only needs its passed health
checks in a row.

Without a public endpoint Lightgate cannot send a request. Then a version is healthy while the
service shows it as current and active and its app does not restart again and again. Only
`watchSeconds`, `answersNeeded` and `failuresInARow` apply.

### Prove which version answers

An answer of the old version looks like one of the new version. With `expectHeader` or `expectText`
only an answer of the version that is watched is good. Every container has the variable
`LIGHTGATE_RELEASE`, and an app can answer with it. A middleware that does:

```python
import os


def release_header(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Release"] = os.environ.get("LIGHTGATE_RELEASE", "")
        return response

    return middleware
```

And in the spec:

```json
{example}
```

`{{release}}` stands for the value that the variable has in the version that is watched, and
`{{digest}}` for the digest of its image, such as `sha256:7f5b…`, where an app knows its own. For a
multi-platform index it is the digest of the linux/amd64 image in it. A version that was deployed
without Lightgate has no such value, so Lightgate does not expect it. No cache between the URL and
the app may keep this answer, because an old answer counts as a bad one.

### Prove that it can write

An app that can read may still be unable to write: after a column was added that the code does not
know, every `INSERT` may fail, and no page shows it. `write` is a request that changes something.

**It changes data in the app.** Lightgate sends it with each health check until one answer was good,
and again after a rollback. After an interruption it may repeat a good one. So give it a path of its
own, at which the app writes a row and deletes it, or writes the same row each time. The Django view
needs `csrf_exempt`.

**No secret belongs in `write.headers`**, nor anywhere else in the spec: everybody who may read the
parameter can read it. The view must work without one.
"""

_VERIFICATION_EXAMPLE = {
    "verification": {
        "path": "/status",
        "expectHeader": {"name": "X-Release", "value": "{release}"},
        "write": {"path": "/probes", "successCodes": "201"},
    }
}

_SECRETS = """\
## Secrets

A secret is a reference. Lightgate reads its value while it creates the deployment, and stores it
nowhere else. If it cannot read the value, it refuses the release and names the reference.

| reference | value |
| --- | --- |
| `secretsmanager:NAME` | the whole secret |
| `secretsmanager:NAME:json-key` | one member of a secret that is a JSON object |
| `secretsmanager:NAME:json-key:version-stage` | the same in a version such as `AWSPREVIOUS` |
| `ssm:/NAME` | a parameter, plain or SecureString |
| `secretsmanager:rds!db-…:password` | one member of the secret that RDS manages for a master user |
| `arn:aws:secretsmanager:…:secret:NAME-…` | the same by its ARN, as Amazon ECS writes it |
| `arn:aws:ssm:…:parameter/NAME` | a parameter by its ARN |

Behind the ARN of a secret `:json-key:version-stage:` may follow; parts of it may be empty.

An app reads its own secrets only. Admit refuses any other one, and the message has the command that
tags it. A secret or parameter is the app's if one of these holds:

- its tag `lightgate:app` names the app; several apps stand there with a space between them,
- its name begins with the parameter `SecretPrefix` of the stack, the app's name and a slash:
  `lightgate/secrets/APP/…`, and `/lightgate/secrets/APP/…` for a parameter,
- RDS manages it for the database of the spec; the tags that RDS itself sets say so.

`lightgate doctor APP --fix-tags` tags the secrets of an app that was stored before this rule.

The secret that RDS manages has a user name and a password, and no URL. Give the parts to the app,
and read them in its settings:

```json
{
  "environment": {"DB_HOST": "crops-db.abc123.us-east-1.rds.amazonaws.com", "DB_NAME": "crops"},
  "secrets": {
    "DB_USER": "secretsmanager:rds!db-0a1b2c3d-1111-2222-3333-444455556666:username",
    "DB_PASSWORD": "secretsmanager:rds!db-0a1b2c3d-1111-2222-3333-444455556666:password"
  }
}
```

```python
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DB_HOST"],
        "NAME": os.environ["DB_NAME"],
        "USER": os.environ["DB_USER"],
        "PASSWORD": os.environ["DB_PASSWORD"],
    }
}
```

RDS rotates this password every seven days. A live deployment keeps the old value until the next
release, so release the app again after each rotation.

A variable of the container overrides one of the app, whether it is a value or a secret. A name is
either in `environment` or in `secrets`, and does not begin with `LIGHTGATE_`.

The `secrets` and the `environment` at the top go to every container. If a container runs another
image, put the secrets into the containers that run the app.
"""

_ADDRESSES = """\
## Names, and addresses in their place

ECR reports a push by the bare name of the repository, such as `team/crops`. The address in the
registry of the account and region in which Lightgate runs,
`123456789012.dkr.ecr.us-east-1.amazonaws.com/team/crops`, stands for that name. Every other address
is refused, and the error says what to write: a repository with a tag, in another account, region or
registry; a tag with its repository; the URL or ARN of a service; the endpoint or ARN of a database.
"""

_BROKEN = """\
## A stored spec that is broken

A push to the repository of a broken spec ends as `REFUSED`. The message has every problem with its
place, such as the line and column at which the text stops being JSON. Lightgate reads the
repository from the broken text. If the text names none, the repository of the last release counts;
without a release, a repository with the name of the app or the service. Lightgate ignores pushes to
other repositories, and reports a spec once, within 15 minutes, if it names no repository in the
registry of the account and region.

The parameter must be of type String. A SecureString is refused: a spec holds no secrets.
"""

_WARNINGS = """\
## What is valid and does not work

`validate`, `plan` and each release warn of these, and the message of the release repeats the
warnings. No warning shows the value of a secret.

- A variable or a command names a container, or a host that only Docker knows, as in
  `redis://redis:6379`. The containers of a deployment share one network: write
  `redis://localhost:6379`.
- A variable names a server on `localhost` that no container can be, or an SQLite file. Write the
  address of a server.
- gunicorn, uvicorn, hypercorn, daphne, granian, waitress, uwsgi or `runserver` listens on loopback,
  on a socket or on another port than `containerPort`. Write `--bind 0.0.0.0:8000`, or the same
  option of the server.
- `ports` lacks `containerPort`. Write the same port in both.
- The command of a gate runs `migrate` and more, or a script that may migrate, so the gate has no
  plan. Write the call of `migrate` alone, and the rest in `before` and `then`.
- The ENTRYPOINT of the image is a script, or its CMD is one where a container gives no command.
  Its effect shows only in the release. Give `--image-config` to see this warning.
- A password, key or token stands in `environment`, in a command or in `verification.write`. Store
  it, and write a reference in `secrets`.
- `environment` holds a reference to a secret. Move it to `secrets`.
- The secrets of the whole app go to a container with another image. Give them to the containers
  that run the app.
- `migrate` has `--fake`, `--fake-initial`, `--plan`, `--check` or the name of an app. Write
  `migrate` alone.

Some warnings need more than the spec, and come with a release only: a scheduler such as celery beat
on a service with several nodes; another app whose spec names the same service, so that its
releases are refused, or that uses the same database in another stage; a secret that is empty, in
quotation marks, or has a line break or a space at either end.
"""

_LIMITS = """\
## Limits

| what | at most |
| --- | --- |
| the spec | {spec} bytes |
| containers | {containers} |
| the deployment, with all environments and the gate's programs | {request} bytes |
| one argument, one value of a variable | {text} characters |

One container brings the gate's programs for all, as above, if Lightgate reads the migrations of the
app or if the programs in every container would make the deployment too large.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.tools.spec_reference", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="only say whether a file is old")
    check = parser.parse_args(arguments).check
    old = {path: text for path, text in files().items() if path.read_text("utf-8") != text}
    for path, text in old.items():
        if check:
            print(f"{path.relative_to(_ROOT)} is old: run make docs", file=sys.stderr)
        else:
            path.write_text(text, "utf-8")
    return 1 if check and old else 0


def files() -> dict[Path, str]:
    """The text of each file that is made from the keys of the spec."""
    whole = json.loads(json.dumps(schema()))
    return {PAGE: _page(whole), SCHEMA: _written(whole) + "\n"}


def _page(schema: dict[str, Any]) -> str:
    guide, full, staging = schema["examples"]
    sections = [
        _OPENING,
        _example(
            "## The smallest\n\nThe containers as the guide has them, and three keys around them.",
            guide,
        ),
        _becomes(guide),
        *_objects(schema),
        _CONDITIONS.format(timeout=DEFAULT_TIMEOUT_SECONDS, patience=PLATFORM_PATIENCE_SECONDS),
        _stages(),
        _verification(),
        _SECRETS,
        _ADDRESSES,
        _WARNINGS,
        _BROKEN,
        _LIMITS.format(
            spec=LONGEST_SPEC_BYTES,
            containers=MOST_CONTAINERS,
            request=LARGEST_REQUEST_BYTES,
            text=LONGEST_TEXT,
        ),
        _example("## Full examples\n\nA production app with a database and secrets:", full),
        _example(
            "Staging, where the stage decides what `migrate` runs, with a worker that must be "
            "healthy and a foreign image that nobody waits for:",
            staging,
        ),
    ]
    return "\n".join(sections)


def _example(words: str, document: object) -> str:
    return f"{words}\n\n```json\n{_written(document)}\n```\n"


def _written(value: object, indent: str = "") -> str:
    """JSON as people write it: a value that fits on a line is on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(indent) + len(line) <= _LINE:
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        items = [_written(item, deeper) for item in value]
        return "[\n" + ",\n".join(deeper + item for item in items) + f"\n{indent}]"
    members = [f"{json.dumps(k)}: {_written(v, deeper)}" for k, v in value.items()]
    return "{\n" + ",\n".join(deeper + member for member in members) + f"\n{indent}}}"


def _objects(schema: dict[str, Any]) -> Iterator[str]:
    """A table for the spec itself, and one for each kind of object in it."""
    yield _table("The spec", schema["description"], schema, schema["$defs"])
    for definition in schema["$defs"].values():
        if "properties" in definition:
            yield _table(
                definition["title"], definition["description"], definition, schema["$defs"]
            )


def _table(title: str, words: str, schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    rows = [
        _row(name, key, name in schema.get("required", ()), definitions)
        for name, key in schema["properties"].items()
    ]
    head = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {title}", "", words, "", *head, *rows, ""])


def _row(name: str, key: dict[str, Any], is_required: bool, definitions: dict[str, Any]) -> str:
    definition = definitions[key["$ref"].split("/")[-1]] if "$ref" in key else {}
    whole = {**definition, **key}
    default = "**required**" if is_required else ""
    if "default" in whole:
        default = f"`{json.dumps(whole['default'])}`"
    meaning = whole["description"]
    if "examples" in key:
        meaning += f" Such as `{json.dumps(key['examples'][-1], ensure_ascii=False)}`."
    return f"| `{name}` | {_type(whole, definitions)} | {default} | {meaning} |"


def _type(whole: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "enum" in whole:
        return ", ".join(f"`{option}`" for option in whole["enum"])
    if whole["type"] == "integer":
        return f"{whole['minimum']} to {whole['maximum']}"
    if "properties" in whole:
        return f"[object](#{_anchor(whole['title'])})"
    if whole["type"] == "object":
        return "object of " + _values(whole["additionalProperties"], definitions)
    if whole["type"] == "array":
        return "list of " + _values(whole["items"], definitions)
    return str(whole["type"])


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    title = definitions[schema["$ref"].split("/")[-1]].get("title") if "$ref" in schema else None
    return f"[{title.lower()}](#{_anchor(title)})" if title else "strings"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _stages() -> str:
    """The commands of a migration without a command, from the presets."""
    lines = [
        "## The commands of a stage",
        "",
        "A container of the pushed image runs the commands of the stage if it gives no `command`",
        "and others wait for it with `SUCCESS` or `COMPLETE`. Each command runs only if the one",
        "before it succeeded. `manage` replaces `python manage.py`.",
        "",
        "| stage | commands |",
        "| --- | --- |",
    ]
    for stage in Stage:
        fixtures = ["fixtures/dev_data.json"] if stage is Stage.DEVELOPMENT else []
        spec = parse_spec(json.dumps(_with_stage(stage, fixtures)))
        commands = preset(spec, "migrate")
        argvs = [*commands.before, commands.main, *commands.then]
        shown = "<br>".join(f"`{shlex.join(argv)}`" for argv in argvs)
        lines.append(f"| `{stage}` | {shown} |")
    lines += [
        "",
        "`loaddata` runs only where `fixtures` names some, here `fixtures/dev_data.json`.",
        "",
        *_AROUND.splitlines(),
    ]
    return "\n".join(lines)


def _verification() -> str:
    def seconds_between(**asked: int) -> int:
        document = _with_stage(Stage.PRODUCTION, []) | {"verification": asked}
        return round(check_interval(health_rules(parse_spec(json.dumps(document)))).total_seconds())

    return _VERIFICATION.format(
        shortest=seconds_between(watchSeconds=0),
        longest=seconds_between(watchSeconds=3600),
        usual=seconds_between(),
        example=_written(_VERIFICATION_EXAMPLE),
    )


def _with_stage(stage: Stage, fixtures: list[str]) -> dict[str, Any]:
    waits = [{"containerName": "migrate", "condition": "SUCCESS"}]
    return {
        "serviceName": "crops",
        "repository": "crops",
        "stage": stage,
        "containers": {"migrate": {"fixtures": fixtures}, "web": {"dependsOn": waits}},
        "publicEndpoint": {"containerName": "web", "containerPort": 8000},
    }


def _becomes(document: dict[str, Any]) -> str:
    """The deployment that the example is compiled to, with names for the gate's programs."""
    image = ImageConfig(
        command=("gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"),
        entrypoint=(),
        architecture="amd64",
    )
    source = ImageSource(
        reference="ACCOUNT.dkr.ecr.REGION.amazonaws.com/crops-backend:lightgate-DIGEST",
        config=image,
    )
    release = "20260102t030405z-0a1b2c3d-9f8e"
    spec = parse_spec(json.dumps(document))
    channels = dict.fromkeys(spec.asking_gates(), "URLS")
    request = compile_deployment(spec, source, release, {}, stack="lightgate", mailboxes=channels)
    programs = {program_text("distributor"): "DISTRIBUTOR", program_text("loader"): "LOADER"}
    for container in request["containers"].values():
        command = [programs.get(word, word) for word in container["command"]]
        command = [re.sub("^[0-9a-f]{24}$|(?<=')[0-9a-f]{32}(?=')", "HASH", one) for one in command]
        if "DISTRIBUTOR" in command:
            command[command.index("DISTRIBUTOR") + 2] = "PROGRAMS"
        container["command"] = command
    return _example(
        "Lightsail starts all containers at once and knows no `dependsOn`. So Lightgate creates\n"
        "the deployment below. DISTRIBUTOR, LOADER and PROGRAMS stand for the gate programs,\n"
        "HASH for the hash of some, and URLS for those of the channel in S3. `migrate` has all\n"
        "programs but the classifier, packed, and `web` loads its own from there. The command of\n"
        "`web` comes from the image.",
        request,
    )


if __name__ == "__main__":
    sys.exit(main())
