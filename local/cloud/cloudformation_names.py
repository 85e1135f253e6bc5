"""Names of resources that CloudFormation refuses to use twice. The engine accepts them."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped]

from local.cloud.aws_rules import Format, Refusal

NAMES: Mapping[str, str] = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
"""The property that names a resource of each type. Two resources of a type cannot share a name."""


class UsedNames:
    """Refuses to execute a change set with a resource whose name another stack uses.

    CloudFormation creates the stack up to that resource and rolls it back. Here nothing is created.
    """

    def __init__(self, cloudformation: Any) -> None:  # noqa: ANN401 - boto3 has no static types
        self._cloudformation = cloudformation

    def refusal(self, form: Mapping[str, str]) -> Refusal | None:
        """Check the change set of an ExecuteChangeSet."""
        change_set = {key: form[key] for key in ("ChangeSetName", "StackName") if key in form}
        try:
            described = self._cloudformation.describe_change_set(**change_set)
            processed = self._cloudformation.get_template(**change_set, TemplateStage="Processed")
        except ClientError:
            return None  # the engine itself refuses a change set that does not exist
        # After a transform the template is JSON, otherwise it is text.
        template = processed["TemplateBody"]
        resources = (yaml_parse(template) if isinstance(template, str) else template)["Resources"]
        known = _known(described)
        for change in (each["ResourceChange"] for each in described["Changes"]):
            kind = change["ResourceType"]
            if change["Action"] == "Remove" or kind not in NAMES:
                continue
            properties = resources[change["LogicalResourceId"]].get("Properties", {})
            name = _resolved(properties.get(NAMES[kind]), known)
            if name is not None and self._is_used(kind, name, described["StackName"]):
                return Refusal(
                    400,
                    "AlreadyExistsException",
                    f"Resource of type '{kind}' with identifier '{name}' already exists.",
                    Format.QUERY,
                )
        return None

    def _is_used(self, kind: str, name: str, stack: str) -> bool:
        for other in _pages(self._cloudformation, "list_stacks", "StackSummaries"):
            if other["StackName"] == stack or other["StackStatus"] == "DELETE_COMPLETE":
                continue
            found = _pages(
                self._cloudformation,
                "list_stack_resources",
                "StackResourceSummaries",
                StackName=other["StackName"],
            )
            if any(
                each["ResourceType"] == kind and _is_named(each["PhysicalResourceId"], name)
                for each in found
            ):
                return True
        return False


def _is_named(physical_id: str, name: str) -> bool:
    """Whether the id is the name, or an ARN or a URL that ends with it."""
    is_address = physical_id.startswith(("arn:", "http"))
    return physical_id == name or (is_address and physical_id.endswith((f":{name}", f"/{name}")))


def _known(described: Mapping[str, Any]) -> Mapping[str, str]:
    """The values of the parameters and pseudo parameters that a name can contain."""
    _, partition, _, region, account, *_ = described["StackId"].split(":")
    given = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
    return {
        **given,
        "AWS::AccountId": account,
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::StackName": described["StackName"],
    }


def _resolved(value: object, known: Mapping[str, str]) -> str | None:
    """The resolved name, or None if it is unknown or CloudFormation generates it."""
    match value:
        case str(text):
            return text
        case {"Ref": str(parameter)}:
            return known.get(parameter)
        case {"Fn::Sub": str(text)}:
            for name, meant in known.items():
                text = text.replace(f"${{{name}}}", meant)
            return text if "${" not in text else None
    return None


def _pages(client: Any, call: str, member: str, **parameters: str) -> Iterator[Any]:  # noqa: ANN401
    for page in client.get_paginator(call).paginate(**parameters):
        yield from page[member]
