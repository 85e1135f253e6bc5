"""The rights that the template gives to each function and to the state machine."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ministack.core.iam_evaluator import (  # type: ignore[import-untyped]
    EvalContext,
    evaluate,
    parse_policy_document,
)

from tests.support.template import read_template

type Json = dict[str, Any]

ACCOUNT, REGION, STACK = "123456789012", "us-east-1", "lightgate"
# What the template refers to, as the harnesses of the tests name it.
_KNOWN: Mapping[str, str] = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "ReleaseTable.Arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/releases",
    "MailboxBucket.Arn": "arn:aws:s3:::mailboxes",
    "EvidenceBucket.Arn": "arn:aws:s3:::evidence",
    "OutcomeTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:outcomes",
    "MailboxRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/mailboxes",
    "SecretPrefix": "lightgate/secrets/",
}
_OWNERS = ("AWS::Serverless::Function", "AWS::Serverless::StateMachine")
_BEGIN_OF_ARN = re.compile(r"arn:\$\{AWS::Partition\}:[^:]*:(?:\$\{AWS::\w+\}:){2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A right that a call needs, with the tags that conditions may ask for."""

    action: str
    resource: str
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    request_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One action of a statement on one resource. `text` has both, as a person reads them."""

    text: str
    action: str
    statement: Json

    @property
    def has_condition(self) -> bool:
        return "Condition" in self.statement

    def allows(self, need: Need) -> bool:
        resource = {f"aws:resourcetag/{key}".lower(): v for key, v in need.resource_tags.items()}
        context = EvalContext(
            principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/of-the-tests/session",
            principal_type="AssumedRole",
            principal_account=ACCOUNT,
            action=need.action,
            resource_arn=need.resource,
            region=REGION,
            request_tags=dict(need.request_tags),
            tag_keys=list(need.request_tags),
            service_context=resource,
        )
        policy = parse_policy_document({"Statement": [self.statement]})
        return bool(evaluate(context, [policy]).decision == "Allow")


@cache
def grants() -> Mapping[str, Sequence[Grant]]:
    """By the logical id of the function or the state machine."""
    resources: Json = read_template()["Resources"]
    found = {
        name: [
            grant
            for policy in resource["Properties"].get("Policies", ())
            for statement in policy["Statement"]
            for grant in _grants(statement)
        ]
        for name, resource in resources.items()
        if resource["Type"] in _OWNERS
    }
    for resource in resources.values():
        # A policy beside the function that needs it. One with a condition is for a customer's key.
        if resource["Type"] == "AWS::IAM::Policy" and "Condition" not in resource:
            for role in resource["Properties"]["Roles"]:
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    found[role["Ref"].removesuffix("Role")] += _grants(statement)
    return found


def _grants(statement: Json) -> Iterator[Grant]:
    for action in _listed(statement["Action"]):
        for resource in _listed(statement["Resource"]):
            text = f"{action} {_shown(resource)}"
            one = {**statement, "Action": action, "Resource": _resolved(resource)}
            if "Condition" in statement:
                one["Condition"] = _value(statement["Condition"])
            yield Grant(text=text, action=action, statement=one)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _shown(resource: Any) -> str:
    """The resource without what is the same in all ARNs."""
    if isinstance(resource, str):
        return resource
    [(kind, what)] = resource.items()
    text = what if isinstance(what, str) else what[0]
    if kind != "Fn::Sub":
        return str(text)
    short = _BEGIN_OF_ARN.sub("", text)
    return re.sub(r"\$\{(?:AWS::)?(\w+)(?:\.Arn)?\}", r"\1", short)


def _resolved(resource: Any) -> str:
    match resource:
        case {"Fn::GetAtt": [name, "Arn"]}:
            return _arn(name)
        case _:
            return str(_value(resource))


def _value(value: Any) -> Any:
    """A value of the template with its references followed."""
    match value:
        case {"Ref": name}:
            return _KNOWN[name]
        case {"Fn::Sub": str(text)}:
            with_arns = re.sub(r"\$\{(\w+)\.Arn\}", lambda found: _arn(found[1]), text)
            return re.sub(r"\$\{([^}]+)\}", lambda found: _KNOWN[found[1]], with_arns)
        case dict():
            return {key: _value(each) for key, each in value.items()}
    return value


def _arn(name: str) -> str:
    """That of a resource of the template; all others than these are functions."""
    return _KNOWN.get(f"{name}.Arn", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
