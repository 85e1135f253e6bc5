"""Changes inside the engine, for what AWS refuses or permits and the gateway cannot see.

The engine runs state machines and evaluates the policies of roles in its own process. This file is
run in that process before the engine starts. It cannot import other modules of this project.
"""

import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack.core import (  # type: ignore[import-untyped]
    iam_actions,
    iam_evaluator,
    responses,
)
from ministack.services import (  # type: ignore[import-untyped]
    ecr,
    iam,
    lambda_svc,
    rds,
    sns,
    stepfunctions,
    tagging,
)
from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

type _Resource = Callable[..., str]
type _Wait = Callable[..., tuple[Any, str]]

_why_refused: Callable[[str, object], str | None] = runpy.run_path(
    str(Path(__file__).with_name("aws_rules.py"))
)["wait_seconds"]


def _strict(execute: _Wait) -> _Wait:
    def execute_wait(
        state: Mapping[str, Any], data: object, context: Mapping[str, Any] | None = None
    ) -> tuple[Any, str]:
        cause = None
        if stepfunctions._state_query_language(state, context) != "JSONPath":
            pass  # the engine itself is strict with JSONata
        elif (path := state.get("SecondsPath")) is not None:
            cause = _why_refused(path, stepfunctions._resolve_path(path, data))
        elif "Seconds" in state:
            # Step Functions would not even create this state machine.
            cause = _why_refused("Seconds", state["Seconds"])
        if cause is not None:
            raise stepfunctions._ExecutionError("States.Runtime", cause)
        return execute(state, data, context)

    return execute_wait


stepfunctions._execute_wait = _strict(stepfunctions._execute_wait)


def _of_a_state(parse: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Keep the message attributes of a state that publishes. The engine drops them."""

    def message_attributes(parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401
        given = parameters.get("MessageAttributes")
        return given if isinstance(given, dict) else parse(parameters)

    return message_attributes


sns._parse_message_attributes = _of_a_state(sns._parse_message_attributes)


_SNAPSHOTS = {
    "DBSnapshotIdentifier": "snapshot",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
}


def _with_snapshots(resource_of: _Resource) -> _Resource:
    """Return the ARN of the RDS snapshot of a call. The engine returns `*` instead.

    Otherwise a role that may delete only certain snapshots could delete none.
    """

    def extract_resource_arn(*call: Any) -> str:  # noqa: ANN401 - the engine has no types
        service, _, _, _, _, parameters, region, account = call
        arn = resource_of(*call)
        for parameter, kind in _SNAPSHOTS.items() if (service, arn) == ("rds", "*") else ():
            if name := iam_actions._query_param(parameters, parameter):
                return f"arn:aws:rds:{region}:{account}:{kind}:{name}"
        return arn

    return extract_resource_arn


def _with_parameters(resource_of: _Resource) -> _Resource:
    """Return the ARN of the first of several parameters. The engine returns `*` for them."""

    def extract_resource_arn(*call: Any) -> str:  # noqa: ANN401 - the engine has no types
        service, _, _, _, body, _, region, account = call
        arn = resource_of(*call)
        names = json.loads(body or "{}").get("Names") if (service, arn) == ("ssm", "*") else None
        return f"arn:aws:ssm:{region}:{account}:parameter{names[0]}" if names else arn

    return extract_resource_arn


iam_actions.extract_resource_arn = _with_parameters(
    _with_snapshots(iam_actions.extract_resource_arn)
)


def _tags_of_rds() -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    yield from rds._tags.items()


# Conditions on the tags of these resources, too: the engine takes them for resources without tags.
tagging._RESOURCE_TAG_COLLECTORS["rds"] = _tags_of_rds
tagging._RESOURCE_TAG_COLLECTORS["ecr"] = tagging._collect_ecr


_restore_record = rds._ACTION_MAP["RestoreDBInstanceFromDBSnapshot"]


def _restore(parameters: Any) -> Any:  # noqa: ANN401 - the engine has no types
    """Restore with the settings of the call, most of which the engine leaves out."""
    answer = _restore_record(parameters)
    if answer[0] != 200:
        return answer
    instance = rds._instances[rds._p(parameters, "DBInstanceIdentifier")]
    groups = rds._parse_member_list(parameters, "VpcSecurityGroupIds")
    tags = rds._parse_tags(parameters)
    # Without this parameter an instance in the default VPC is public on AWS.
    is_public = rds._p(parameters, "PubliclyAccessible") != "false"
    instance.update(
        {
            "TagList": tags,
            "PubliclyAccessible": is_public,
            "DeletionProtection": rds._p(parameters, "DeletionProtection") == "true",
            "VpcSecurityGroups": [
                {"VpcSecurityGroupId": one, "Status": "active"} for one in groups
            ],
        }
    )
    if (subnets := rds._subnet_groups.get(rds._p(parameters, "DBSubnetGroupName"))) is not None:
        instance["DBSubnetGroup"] = subnets
    if group := rds._p(parameters, "DBParameterGroupName"):
        applied = {"DBParameterGroupName": group, "ParameterApplyStatus": "in-sync"}
        instance["DBParameterGroups"] = [applied]
    rds._tags[instance["DBInstanceArn"]] = tags
    name = "RestoreDBInstanceFromDBSnapshot"
    return rds._single_instance_response(f"{name}Response", f"{name}Result", instance)


rds._ACTION_MAP["RestoreDBInstanceFromDBSnapshot"] = _restore


_SNAPSHOT_QUOTA = 100


def _describe_account_attributes(_: Any) -> Any:  # noqa: ANN401 - the engine has no types
    """Answer with the one quota that Lightgate reads. The engine does not have this call."""
    used = sum(one["SnapshotType"] == "manual" for one in rds._snapshots.values())
    quota = (
        "<AccountQuotaName>ManualSnapshots</AccountQuotaName>"
        f"<Used>{used}</Used><Max>{_SNAPSHOT_QUOTA}</Max>"
    )
    quotas = f"<AccountQuotas><AccountQuota>{quota}</AccountQuota></AccountQuotas>"
    name = "DescribeAccountAttributes"
    return rds._xml(200, f"{name}Response", f"<{name}Result>{quotas}</{name}Result>")


rds._ACTION_MAP["DescribeAccountAttributes"] = _describe_account_attributes


_context: ContextVar[Mapping[str, str] | None] = ContextVar("context", default=None)


def _with_context_entries(simulate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a simulation know the condition keys of its request. The engine leaves them out."""

    def simulate_principal_policy(parameters: Any) -> Any:  # noqa: ANN401 - the engine has no types
        found, number = {}, 1
        while key := iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyName"):
            value = f"ContextEntries.member.{number}.ContextKeyValues.member.1"
            found[key.lower()] = iam._p(parameters, value)
            number += 1
        token = _context.set(found)
        try:
            return simulate(parameters)
        finally:
            _context.reset(token)

    return simulate_principal_policy


def _in_context(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate_policies(context: Any, *policies: Any) -> Any:  # noqa: ANN401
        context.service_context = {**(_context.get() or {}), **context.service_context}
        return evaluate(context, *policies)

    return evaluate_policies


iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = _with_context_entries(iam._simulate_principal_policy)
iam_evaluator.evaluate = _in_context(iam_evaluator.evaluate)


def _tag_by_tag(delete: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Remove the tag alone while the image has another one. The engine removes the image."""

    def batch_delete_image(request: Mapping[str, Any]) -> Any:  # noqa: ANN401
        removed, rest = [], []
        for one in request.get("imageIds", []):
            image = ecr._find_image(request.get("repositoryName", ""), one)
            tag = one.get("imageTag")
            if image is not None and "imageDigest" not in one and image["imageTags"] != [tag]:
                image["imageTags"].remove(tag)
                image["imageId"]["imageTag"] = image["imageTags"][-1]
                removed.append({"imageDigest": image["imageDigest"], "imageTag": tag})
            else:
                rest.append(one)
        status, headers, body = delete({**request, "imageIds": rest})
        if status == 200:
            answer = json.loads(body)
            body = json.dumps({**answer, "imageIds": [*removed, *answer["imageIds"]]}).encode()
        return status, headers, body

    return batch_delete_image


ecr._batch_delete_image = _tag_by_tag(ecr._batch_delete_image)


def _over_tls(pin: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
    """Let every request count as encrypted: the loopback addresses stand for those of AWS.

    Otherwise a policy that refuses requests without TLS would refuse all.
    """
    return lambda address, _: pin(address, True)


iam_evaluator.pin_request_origin = _over_tls(iam_evaluator.pin_request_origin)


def _without_metric_math(handlers: dict[str, Callable[..., Any]]) -> dict[str, Any]:
    """Let an alarm with an expression be created, which the engine refuses. It has no effect."""

    def create(name: str, properties: Mapping[str, Any], stack: str) -> Any:  # noqa: ANN401
        if properties.get("Metrics"):
            return f"{stack}-{name}", {"Arn": f"arn:aws:cloudwatch:::alarm:{stack}-{name}"}
        return handlers["create"](name, properties, stack)

    def update(
        alarm: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        *more: Any,  # noqa: ANN401
        **named: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        return (
            (alarm, {})
            if new.get("Metrics")
            else handlers["update"](alarm, old, new, *more, **named)
        )

    def delete(alarm: str, properties: Mapping[str, Any]) -> Any:  # noqa: ANN401
        return None if properties.get("Metrics") else handlers["delete"](alarm, properties)

    return {**handlers, "create": create, "update": update, "delete": delete}


_handlers = provisioners._RESOURCE_HANDLERS
_handlers["AWS::CloudWatch::Alarm"] = _without_metric_math(_handlers["AWS::CloudWatch::Alarm"])
# Nothing here runs the saved queries of Logs Insights.
_handlers["AWS::Logs::QueryDefinition"] = {
    "create": lambda name, _, stack: (f"{stack}-{name}", {}),
    "update": lambda query, *_: (query, {}),
    "delete": lambda *_: None,
}


_role_of_execution: ContextVar[str] = ContextVar("role_of_execution")


def _with_its_role(run: Callable[[str], None]) -> Callable[[str], None]:
    def run_execution(arn: str) -> None:
        started = stepfunctions._executions[arn]["events"][0]["executionStartedEventDetails"]
        _role_of_execution.set(started["roleArn"])
        run(arn)

    return run_execution


def _as_its_role(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Let a task do only what the role of its state machine may. The engine checks no such role."""

    def invoke_resource(resource: str, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401
        account, region = responses.get_account_id(), responses.get_region()
        if ":function:" in resource:
            action, target, error = "lambda:InvokeFunction", resource, "Lambda.AWSLambdaException"
        elif resource.endswith("sns:publish"):
            action, target = "sns:Publish", parameters["TopicArn"]
            error = "SNS.AuthorizationErrorException"
        elif resource.endswith("dynamodb:deleteItem"):
            table = parameters["TableName"]
            action, target = (
                "dynamodb:DeleteItem",
                f"arn:aws:dynamodb:{region}:{account}:table/{table}",
            )
            error = "DynamoDB.AccessDeniedException"
        else:
            return invoke(resource, parameters)
        role = _role_of_execution.get().rpartition("/")[2]
        asked = iam_evaluator.EvalContext(
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/execution",
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=target,
            region=region,
        )
        policies = iam_evaluator._gather_role_policies(role, account)
        if iam_evaluator.evaluate(asked, policies).decision != "Allow":
            cause = (
                f"User: {asked.principal_arn} is not authorized to perform: {action} on {target}"
            )
            raise stepfunctions._ExecutionError(error, cause)
        return invoke(resource, parameters)

    return invoke_resource


stepfunctions._run_execution = _with_its_role(stepfunctions._run_execution)
stepfunctions._invoke_resource = _as_its_role(stepfunctions._invoke_resource)


def _ending_executions(delete: Callable[..., None]) -> Callable[..., None]:
    """End the executions of a deleted state machine at their next transition.

    The engine would let them go on.
    """

    def delete_machine(machine: str, properties: Mapping[str, Any]) -> None:
        delete(machine, properties)
        for execution in list(stepfunctions._executions.values()):
            if execution["stateMachineArn"] == machine and execution["status"] == "RUNNING":
                cause = f"State machine {machine} has been deleted."
                stepfunctions._fail_execution(execution, "States.Runtime", cause)

    return delete_machine


_machines = _handlers["AWS::StepFunctions::StateMachine"]
_machines["delete"] = _ending_executions(_machines["delete"])

_UNVERSIONED = ("Version", "FunctionArn", "RevisionId", "Description", "LastModified")
_STATUS = ("State", "LastUpdateStatus")


def _content(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same in a function and in a version of it."""
    return {
        key: value
        for key, value in configuration.items()
        if key not in _UNVERSIONED and not key.startswith(_STATUS)
    }


def _of_a_changed_function(handlers: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """Publish no version of a function whose code and configuration are those of its last one.

    The engine counts every update of a function as a change, also back to what it was.
    """

    def create(name: str, properties: Mapping[str, Any], stack: str) -> Any:  # noqa: ANN401
        function = lambda_svc._functions.get(properties["FunctionName"])
        if function and (latest := max(function["versions"], key=int, default=None)):
            last = function["versions"][latest]["config"]
            if _content(last) == _content(function["config"]):
                raise ValueError(
                    f"A version for this Lambda function exists ( {latest} ). "
                    "Modify the function to create a new version."
                )
        return handlers["create"](name, properties, stack)

    def update(
        version: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        stack: str,
        name: str | None = None,
    ) -> Any:  # noqa: ANN401
        if old != new:
            return create(name or version, new, stack)
        return handlers["update"](version, old, new, stack, name)

    return {**handlers, "create": create, "update": update}


_handlers["AWS::Lambda::Version"] = _of_a_changed_function(_handlers["AWS::Lambda::Version"])
