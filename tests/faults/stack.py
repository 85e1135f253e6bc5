"""The stack as template.yaml describes it: its functions, each with its own environment."""

import importlib.util
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.component.cloud import ACCOUNT, REGION
from tests.faults.account import Account
from tests.support.template import read_template

type Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
NAME = "lightgate"
_PACKAGE = "lightgate"
_STANDARD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda tells a handler of its invocation."""

    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:of-the-tests"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A Lambda function by its logical id, with modules of its own, as in a process of its own."""

    name: str
    handler: Callable[[Json, Context], Json]
    environment: Mapping[str, str]
    seconds: int
    modules: dict[str, ModuleType]

    def __call__(self, event: Json) -> Json:
        """What the handler returns, as Lambda would serialise it."""
        before, others = dict(os.environ), _taken_out()
        os.environ.update(self.environment)
        # The handler loads more of them when a step first needs them.
        sys.modules.update(self.modules)
        try:
            answer: Json = json.loads(json.dumps(self.handler(event, Context(self.name))))
        finally:
            self.modules.update(_taken_out())
            sys.modules.update(others)
            os.environ.clear()
            os.environ.update(before)
        return answer


class Stack:
    """What `sam deploy` would make, in the account: `functions` by logical id."""

    def __init__(self, account: Account) -> None:
        self._template: Json = read_template()
        resources = self._template["Resources"]
        self._ids = _made(account, resources["ReleaseTable"]["Properties"])
        machine = resources["ReleaseStateMachine"]["Properties"]
        self.table, self.topic = self._ids["ReleaseTable"], self._ids["OutcomeTopic"]
        self.bucket, self.queue = self._ids["MailboxBucket"], self._ids["queue"]
        self.functions = {
            name: self._function(name, resource["Properties"])
            for name, resource in resources.items()
            if resource["Type"] == "AWS::Serverless::Function"
        }
        text = (ROOT / machine["DefinitionUri"]).read_text()
        for name, value in machine["DefinitionSubstitutions"].items():
            text = text.replace(f"${{{name}}}", self._resolved(value))
        assert "${" not in text
        self.definition: Json = json.loads(text)
        self.machine: str = account.client("stepfunctions").create_state_machine(
            name=f"{NAME}-release",
            definition=text,
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/release",
        )["stateMachineArn"]

    def _function(self, name: str, properties: Json) -> Function:
        standard = self._template["Globals"]["Function"]
        variables = {
            **standard["Environment"]["Variables"],
            **properties.get("Environment", {}).get("Variables", {}),
        }
        module, _, attribute = properties.get("Handler", standard["Handler"]).rpartition(".")
        path = ROOT / properties["CodeUri"] / f"{module.replace('.', '/')}.py"
        handlers, modules = _loaded(f"handler_of_{name}", path)
        return Function(
            name=name,
            handler=getattr(handlers, attribute),
            modules=modules,
            environment={key: self._resolved(value) for key, value in variables.items()},
            seconds=properties.get("Timeout", standard.get("Timeout", _STANDARD_SECONDS)),
        )

    def _resolved(self, value: Any) -> str:
        """A value of the template with its references followed."""
        if isinstance(value, dict):
            [(kind, what)] = value.items()
            if kind == "Fn::Sub":
                text, names = (what, {}) if isinstance(what, str) else what
                values = {name: self._resolved(each) for name, each in names.items()}
                return re.sub(
                    r"\$\{([^}]+)\}", lambda found: values.get(found[1]) or self._id(found[1]), text
                )
            if kind == "Fn::FindInMap":
                name, key, member = what
                return str(self._template["Mappings"][name][self._resolved(key)][member])
            return self._id(what if isinstance(what, str) else ".".join(what))
        return str(value)

    def _id(self, name: str) -> str:
        # Nothing is deployed twice here, so the version of a function is the function.
        name = name.replace("Function.Version", "Function.Arn")
        if name.endswith("Function.Arn"):
            return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name.removesuffix('.Arn')}"
        if name in self._template["Parameters"]:
            return str(self._template["Parameters"][name]["Default"])
        return self._ids[name]


def _made(account: Account, table: Json) -> dict[str, str]:
    """The resources that hold something, by what the template calls them."""
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema")
    account.client("dynamodb").create_table(
        TableName="releases", **{key: table[key] for key in keys}
    )
    sns, sqs = account.client("sns"), account.client("sqs")
    topic = sns.create_topic(Name="outcomes")["TopicArn"]
    queue = sqs.create_queue(QueueName="people")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:people")
    for bucket in ("mailboxes", "evidence"):
        account.client("s3").create_bucket(Bucket=bucket)
    return {
        "AWS::StackName": NAME,
        "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{NAME}/of-the-tests",
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "Dashboard": f"{NAME}-releases",
        "ReleaseTable": "releases",
        "OutcomeTopic": topic,
        "MailboxBucket": "mailboxes",
        "EvidenceBucket": "evidence",
        "MailboxRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/mailboxes",
        "queue": queue,
    }


def _loaded(name: str, path: Path) -> tuple[ModuleType, dict[str, ModuleType]]:
    """The module, and its own copy of the shared package, so that functions share no state."""
    others = _taken_out()
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:
        own = _taken_out()
        sys.modules.update(others)
    return module, own


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]
    return {name: sys.modules.pop(name) for name in names}
