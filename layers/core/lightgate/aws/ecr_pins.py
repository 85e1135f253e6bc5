"""The tags under which Lightgate has deployed images: who needs them, and how one is removed."""

from typing import Any

from lightgate.aws.clients import reaching
from lightgate.errors import UnreachableError
from lightgate.image.tags import TaggedImage
from lightgate.names import STACK_TAG


class Pins:
    """Each answer is complete. Anything that AWS does not show raises UnreachableError."""

    def __init__(self, ecr: Any, lightsail: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        self._ecr, self._lightsail = ecr, lightsail

    @reaching("ECR")
    def are_of_stack(self, repository: str, stack: str) -> bool:
        """Whether the repository has the tag of the stack, so no other stack deploys from it."""
        answer = self._ecr.describe_repositories(repositoryNames=[repository])
        [found] = answer["repositories"]
        tags = self._ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
        return any((tag["Key"], tag["Value"]) == (STACK_TAG, stack) for tag in tags)

    @reaching("Lightsail")
    def deployed(self) -> frozenset[str]:
        """The images of all deployments that any container service of this region lists."""
        listed = []
        for service in self._lightsail.get_container_services()["containerServices"]:
            name = service["containerServiceName"]
            answer = self._lightsail.get_container_service_deployments(serviceName=name)
            listed += answer["deployments"]
            listed += [one for each in _SHOWN if (one := service.get(each))]
        return frozenset(
            container["image"] for one in listed for container in one["containers"].values()
        )

    @reaching("ECR")
    def image(self, repository: str, tag: str) -> TaggedImage:
        """The image with the tag, under all the tags that it has now."""
        answer = self._ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        [found] = answer["imageDetails"]
        return TaggedImage(
            digest=found["imageDigest"],
            tags=tuple(found["imageTags"]),
            pushed_at=found["imagePushedAt"],
        )

    @reaching("ECR")
    def remove(self, repository: str, tag: str) -> None:
        """Remove the tag. With the last tag of an image, ECR would delete the image as well."""
        answer = self._ecr.batch_delete_image(
            repositoryName=repository, imageIds=[{"imageTag": tag}]
        )
        if failures := answer.get("failures"):
            raise UnreachableError(f"ECR keeps {tag}: {failures[0].get('failureCode')}")


_SHOWN = ("currentDeployment", "nextDeployment")
