"""The temporary container services of rehearsals: one node, no public endpoint.

Only a service with the name and the tags of a rehearsal is ever deleted.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message, reaching
from lightgate.aws.temporary import Temporary, require_name, temporary
from lightgate.errors import RefusalCode, RefusedError
from lightgate.names import REHEARSAL_TAG, STACK_TAG

_MISSING = "NotFoundException"
_WRONG = "InvalidInputException"


class TemporaryServices:
    """`client` reads, `create_client` makes one attempt only: it creates and deletes."""

    def __init__(self, client: Any, create_client: Any, stack: str) -> None:  # noqa: ANN401
        self._client, self._create_client, self._stack = client, create_client, stack

    @reaching("GetContainerServices")
    def state(self, name: str) -> str | None:
        """Lightsail's word for the state of the service; None if there is none."""
        found = self._find(name)
        return None if found is None else str(found["state"])

    @reaching("CreateContainerService")
    def create(self, name: str, power: str, execution: str) -> None:
        """Begin to create the service, with a role to pull images. The caller has looked for it.

        Raises:
            RefusedError: the account has no room for it, or Lightsail finds something wrong.
        """
        tags = {REHEARSAL_TAG: execution, STACK_TAG: self._stack}
        try:
            self._create_client.create_container_service(
                serviceName=name,
                power=power,
                scale=1,
                tags=[{"key": key, "value": value} for key, value in tags.items()],
                privateRegistryAccess={"ecrImagePullerRole": {"isActive": True}},
            )
        except ClientError as error:
            # A lost answer: the service is there, and the next check finds it.
            if self._find(name) is not None:
                return
            if error_code(error) == _WRONG:
                raise RefusedError(
                    f"Lightsail makes no service: {error_message(error).rstrip('.')}",
                    code=RefusalCode.QUOTA,
                ) from error
            raise

    @reaching("DeleteContainerService")
    def delete(self, name: str) -> bool:
        """Whether the service is gone; if not, delete it or let its deletion go on. Idempotent."""
        require_name(name)
        found = self._find(name)
        if found is None:
            return True
        if found["state"] != "DELETING":
            try:
                self._create_client.delete_container_service(serviceName=name)
            except ClientError as error:
                # While it is being made or deploys, it takes no deletion.
                if error_code(error) not in (_MISSING, _WRONG):
                    raise
        return False

    @reaching("GetContainerServices")
    def all(self) -> list[Temporary]:
        """The temporary services of this stack, by their names and tags."""
        return list(self._all())

    def _all(self) -> Iterator[Temporary]:
        for found in self._client.get_container_services()["containerServices"]:
            tags = {tag["key"]: tag.get("value", "") for tag in found.get("tags", ())}
            name, since = found["containerServiceName"], found["createdAt"]
            if (ours := temporary(name, tags, since, self._stack)) is not None:
                yield ours

    def _find(self, name: str) -> Mapping[str, Any] | None:
        try:
            answer = self._client.get_container_services(serviceName=name)
        except ClientError as error:
            if error_code(error) == _MISSING:
                return None
            raise
        found: list[Mapping[str, Any]] = answer["containerServices"]
        return found[0] if found else None
