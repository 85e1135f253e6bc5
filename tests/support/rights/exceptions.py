"""Rights that a function needs although the tests may not show it, each with the reason."""

from collections.abc import Mapping

OF_ALL: Mapping[str, str] = {
    "s3:ListBucket MailboxBucket": "S3 answers 404 for a missing object only to those who may list",
    "kms:Decrypt *": "Secrets Manager and SSM decrypt with the rights of the caller",
    "lambda:InvokeFunction": "tests/unit/stack/test_state_machine.py compares it with the states",
    "logs:": "Step Functions sets up its log with these",
    "lightsail:GetContainerImages *": "only for an image in Lightsail's own store: "
    "tests/component/test_image_stores.py",
    "secretsmanager:GetSecretValue secret:rds!*": "tests/unit/stack/test_secret_rights.py has it",
    "secretsmanager:GetSecretValue secret:SecretPrefix*": "tests/unit/stack/test_secret_rights.py",
    "ssm:GetParameter parameter/SecretPrefix*": "tests/unit/stack/test_secret_rights.py has it",
}
# StartNext and Admit end an abandoned release by the code that CleanUp has, and there it is shown.
_RECOVERY = "ends an abandoned release, as CleanUp does"
_PERMIT = "MailboxBucket/*/permit.json"
BY_FUNCTION: Mapping[str, Mapping[str, str]] = {
    "AdmitFunction": {
        f"states:StartExecution stateMachine:StackName-{machine}": _RECOVERY
        for machine in ("release", "rehearsal")
    },
    "CheckSnapshotFunction": {
        "rds:DescribeDBClusterSnapshots *": "reads a cluster's snapshot as it reads an instance's"
    },
    "DeployFunction": {f"s3:GetObject {_PERMIT}": "a repeated Deploy reads what it has written"},
    "PrepareRehearsalFunction": {
        f"rds:RestoreDBInstanceFromDBSnapshot {kind}:*": "RDS checks the group of the original, "
        "which the instances of moto do not have"
        for kind in ("subgrp", "og")
    },
    "RecordOutcomeFunction": {
        "lightsail:GetRelationalDatabaseSnapshot *": "reads a snapshot as it reads an instance's",
        "rds:DescribeDBClusterSnapshots *": "reads a snapshot as it reads an instance's",
        "ssm:GetParameter parameter/StackName/apps/*": "the stage of an app without an admission",
    },
    "StartNextFunction": {
        "dynamodb:DeleteItem ReleaseTable": _RECOVERY,
        "dynamodb:Query ReleaseTable": _RECOVERY,
        "dynamodb:UpdateItem ReleaseTable": _RECOVERY,
        "lightsail:GetContainerServiceDeployments *": _RECOVERY,
        "lightsail:GetContainerServices *": _RECOVERY,
        f"s3:GetObject {_PERMIT}": _RECOVERY,
        f"s3:PutObject {_PERMIT}": _RECOVERY,
        "sns:ListSubscriptionsByTopic OutcomeTopic": _RECOVERY,
        "sns:Publish OutcomeTopic": _RECOVERY,
        "ssm:GetParameter parameter/StackName/apps/*": _RECOVERY,
        "states:DescribeExecution execution:StackName-release:*": _RECOVERY,
    },
    "RecordRehearsalFunction": {
        "states:StartExecution stateMachine:StackName-rehearsal": "a push that came while a "
        "rehearsal ran",
    },
    "PruneSnapshotsFunction": {"sns:Publish OutcomeTopic": "sends NOT_PRUNED"},
}


def reason(function: str, right: str) -> str | None:
    """Why the function has the right; None if a test has to show it."""
    for begin, why in OF_ALL.items():
        if right.startswith(begin):
            return why
    return BY_FUNCTION.get(function, {}).get(right)
