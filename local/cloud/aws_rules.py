"""Requests that AWS refuses and the engine accepts. The texts are those of AWS."""

import base64
import binascii
import enum
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

_LARGER = (
    " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."
)
_NESTED_PARAMETER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_RDS_NAME = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9])*")
_TAG_TEXT = re.compile(r"[\w .:/=+\-@]*")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXECUTION_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
_SUBJECT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,98}")
_LONGEST_INSTANCE = 63
_TAKES_SNAPSHOTS = ("available", "storage-optimization")
_SIGNED_IN_QUERY = ("X-Amz-Signature", "Signature")
_LONGEST_WAIT_SECONDS = 99_999_999


class Format(enum.Enum):
    JSON = "application/x-amz-json-1.1"
    REGISTRY = "application/json"
    XML = "application/xml"
    QUERY = "text/xml"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer: its HTTP status, AWS's code and text, and the text's format."""

    status: int
    code: str
    message: str
    format: Format = Format.JSON

    def body(self) -> bytes:
        if self.format in (Format.XML, Format.QUERY):
            words = f"<Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            text = f"<Error>{words}</Error>"
            if self.format is Format.QUERY:
                text = f"<ErrorResponse>{text}</ErrorResponse>"
            return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
        if self.format is Format.REGISTRY:
            return json.dumps({"errors": [{"code": self.code, "message": self.message}]}).encode()
        return json.dumps({"__type": self.code, "message": self.message}).encode()


def unsigned(
    method: str, path: str, headers: Mapping[str, str], query: Mapping[str, str]
) -> Refusal | None:
    """Refuse a request without credentials. The engine would treat it as one of the root user."""
    if path == "/v2" or path.startswith("/v2/"):
        return _registry_without_login(method, headers)
    if "Authorization" in headers or any(name in query for name in _SIGNED_IN_QUERY):
        return None
    return Refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")


def _registry_without_login(method: str, headers: Mapping[str, str]) -> Refusal | None:
    # A blob is also read by the URL of GetDownloadUrlForLayer, which is signed on AWS.
    if method in {"GET", "HEAD"}:
        return None
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    try:
        user, _, _ = base64.b64decode(credentials, validate=True).partition(b":")
    except binascii.Error:
        user = b""
    if scheme == "Basic" and user == b"AWS":
        return None
    return Refusal(401, "UNAUTHORIZED", "Not Authorized", Format.REGISTRY)


def parameter(request: Mapping[str, Any]) -> Refusal | None:
    """Refuse a PutParameter whose value Parameter Store refuses."""
    value = str(request.get("Value", ""))
    if _NESTED_PARAMETER.search(value):
        return Refusal(
            400,
            "ValidationException",
            'Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.',
        )
    kind, limit, advice = "Advanced", 8192, ""
    if request.get("Tier", "Standard") == "Standard":
        kind, limit, advice = "Standard", 4096, _LARGER
    if len(value.encode()) <= limit:
        return None
    message = f"{kind} tier parameters support a maximum parameter value of {limit} characters."
    return Refusal(400, "ValidationException", message + advice)


def missing_object(
    method: str, query: Mapping[str, str], status: int, body: bytes
) -> Refusal | None:
    """Refuse a read of a missing key through a presigned URL of a session.

    S3 reports a missing key only to a caller who may list the bucket. No session that Lightgate
    signs URLs for may list one.
    """
    is_presigned = "X-Amz-Signature" in query and "X-Amz-Security-Token" in query
    if not is_presigned or method not in {"GET", "HEAD"} or status != 404:
        return None
    if method == "GET" and b"<Code>NoSuchKey</Code>" not in body:
        return None
    return Refusal(403, "AccessDenied", "Access Denied", Format.XML)


def image(request: Mapping[str, Any], digest_of_tag: str | None) -> Refusal | None:
    """Refuse a PutImage that would change nothing: the tag already refers to this manifest."""
    manifest = str(request.get("imageManifest", ""))
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    if digest_of_tag != digest:
        return None
    return Refusal(
        400,
        "ImageAlreadyExistsException",
        f"Image with digest '{digest}' and tag '{request.get('imageTag')}' already exists in the"
        f" repository with name '{request.get('repositoryName')}'",
    )


def wait_seconds(place: str, value: object) -> str | None:
    """Why the value at a Wait state's SecondsPath ends the execution; None if the state waits.

    Step Functions ends it with States.Runtime, which no Catch sees.
    """
    found = f"{place} == {json.dumps(value)}"
    if isinstance(value, bool) or not isinstance(value, int):
        return f"The SecondsPath parameter cannot be parsed as a long value: {found}"
    if 0 <= value <= _LONGEST_WAIT_SECONDS:
        return None
    wrong = "negative value" if value < 0 else f"value greater than {_LONGEST_WAIT_SECONDS}"
    return f"The SecondsPath parameter references a {wrong}: {found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotKind:
    """A call that creates a snapshot."""

    snapshot: str
    """The parameter with the name of the snapshot."""
    database: str
    longest: int
    busy: str
    """The error code of a database that is not available."""
    words: str

    def unavailable(self, database: str) -> Refusal:
        return Refusal(
            400,
            self.busy,
            f"Cannot create a snapshot because the {self.words} {database} is not "
            "currently in the available state.",
            Format.QUERY,
        )


SNAPSHOTS = {
    "CreateDBSnapshot": SnapshotKind(
        snapshot="DBSnapshotIdentifier",
        database="DBInstanceIdentifier",
        longest=255,
        busy="InvalidDBInstanceState",
        words="database instance",
    ),
    "CreateDBClusterSnapshot": SnapshotKind(
        snapshot="DBClusterSnapshotIdentifier",
        database="DBClusterIdentifier",
        longest=63,
        busy="InvalidDBClusterStateFault",
        words="database cluster",
    ),
}


def snapshot(form: Mapping[str, str], status: str | None, cluster: str | None) -> Refusal | None:
    """Refuse a snapshot that RDS refuses.

    `status` is that of the database, or None if the database does not exist: then the engine
    refuses the snapshot itself. `cluster` is the cluster that a database instance belongs to.
    """
    kind = SNAPSHOTS[form["Action"]]
    name = form.get(kind.snapshot, "")
    if len(name) > kind.longest:
        return _invalid(
            f"The parameter {kind.snapshot} is not a valid identifier because it is longer than "
            f"{kind.longest} characters."
        )
    if not _RDS_NAME.fullmatch(name):
        return _invalid(
            f"The parameter {kind.snapshot} is not a valid identifier. Identifiers must begin with "
            "a letter; must contain only ASCII letters, digits, and hyphens; and must not end with "
            "a hyphen or contain two consecutive hyphens."
        )
    if any(not _is_tag_text(member, value) for member, value in form.items()):
        return _invalid("The tag contains characters that are not allowed, or is too long.")
    if cluster:
        return _invalid(
            "The specified instance is a member of a cluster and a snapshot cannot be created "
            "directly. Please use the CreateDBClusterSnapshot API instead."
        )
    if status is None or status in _TAKES_SNAPSHOTS:
        return None
    return kind.unavailable(form.get(kind.database, ""))


def restore(form: Mapping[str, str]) -> Refusal | None:
    """Refuse a restored instance with a name or tags that RDS refuses."""
    name = form.get("DBInstanceIdentifier", "")
    if len(name) > _LONGEST_INSTANCE or not _RDS_NAME.fullmatch(name):
        return _invalid(
            "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must begin "
            "with a letter; must contain only ASCII letters, digits, and hyphens; and must not end "
            "with a hyphen or contain two consecutive hyphens."
        )
    if any(not _is_tag_text(member, value) for member, value in form.items()):
        return _invalid("The tag contains characters that are not allowed, or is too long.")
    return None


def deletion(form: Mapping[str, str]) -> Refusal | None:
    """Refuse the deletion of an instance that says nothing of a last snapshot."""
    if form.get("SkipFinalSnapshot") == "true" or form.get("FinalDBSnapshotIdentifier"):
        return None
    return Refusal(
        400,
        "InvalidParameterCombination",
        "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        Format.QUERY,
    )


def snapshot_not_available(snapshot: str) -> Refusal:
    message = f"Cannot restore from snapshot {snapshot}: it is not in the available state."
    return Refusal(400, "InvalidDBSnapshotState", message, Format.QUERY)


def instance_not_available(name: str) -> Refusal:
    message = f"Instance {name} is not in available state."
    return Refusal(400, "InvalidDBInstanceState", message, Format.QUERY)


def no_free_instance() -> Refusal:
    """Refuse one more instance: here the quota is the number of ports that containers reach."""
    message = "This request would exceed the allowed number of DB instances."
    return Refusal(400, "InstanceQuotaExceeded", message, Format.QUERY)


def _is_tag_text(member: str, value: str) -> bool:
    if not member.startswith("Tags."):
        return True
    longest = 128 if member.endswith(".Key") else 256
    is_reserved = value.lower().startswith(("aws:", "rds:"))
    fits = 1 <= len(value) <= longest and not is_reserved
    return fits and _TAG_TEXT.fullmatch(value) is not None


def query(form: Mapping[str, str]) -> Refusal | None:
    """Refuse an AssumeRole with an invalid session name, and a Publish with an invalid subject."""
    action = form.get("Action")
    if action == "AssumeRole" and not _SESSION_NAME.fullmatch(form.get("RoleSessionName", "")):
        message = "Value at 'roleSessionName' failed to satisfy constraint"
        return Refusal(400, "ValidationError", message, Format.QUERY)
    if action == "Publish" and "Subject" in form and not _SUBJECT.fullmatch(form["Subject"]):
        return Refusal(400, "InvalidParameter", "Invalid parameter: Subject", Format.QUERY)
    return None


def execution(request: Mapping[str, Any]) -> Refusal | None:
    """Refuse a StartExecution with an invalid name."""
    name = request.get("name")
    if name is None or _EXECUTION_NAME.fullmatch(str(name)):
        return None
    return Refusal(400, "InvalidName", f"Invalid Name: '{name}'")


def _invalid(message: str) -> Refusal:
    return Refusal(400, "InvalidParameterValue", message, Format.QUERY)
