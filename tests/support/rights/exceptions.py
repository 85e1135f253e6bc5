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
_RECOVERY = "ends an abandoned release by the code that CleanUp has: each of its calls is recorded there"
_BUSY = "only if the database refuses the snapshot: tests/component/test_snapshots.py"
_CLUSTER = "as for a database instance: tests/component/test_aurora.py"
BY_FUNCTION: Mapping[str, Mapping[str, str]] = {
}


def reason(function: str, right: str) -> str | None:
    """Why the function has the right; None if a test has to show it."""
    for begin, why in OF_ALL.items():
        if right.startswith(begin):
            return why
    return BY_FUNCTION.get(function, {}).get(right)
