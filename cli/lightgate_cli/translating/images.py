"""Read from image names which containers run the same image, and for which purpose."""

import re
from collections.abc import Iterable, Mapping

from lightgate.image.addresses import ImageAddress, RegistryAddress, without_registry
from lightgate.release.request import is_tag
from lightgate_cli.translating.source import SourceContainer

_LABEL = re.compile(r":(?P<service>[a-z0-9-]+)\.(?P<label>[a-z0-9-]+)\.\w+")
_DATABASES = {
    *("postgres", "postgresql", "postgis", "pgvector", "timescaledb", "timescaledb-ha"),
    *("mysql", "mariadb", "percona", "mssql", "server", "mongo", "mongodb", "cockroach", "oracle"),
}
_NAMES_OF_DATABASES = {"db", "database", "postgres", "postgresql", "postgis", "mysql", "mariadb"}
_FRONTS = {
    *("nginx", "caddy", "traefik", "haproxy", "httpd", "apache", "envoy", "proxy", "frontend"),
    *("front", "client", "ui", "spa", "react", "vue", "angular", "static", "storefront"),
}
_PUBLIC = {
    *("redis", "valkey", "keydb", "memcached", "rabbitmq", "nats", "kafka", "zookeeper"),
    *("elasticsearch", "opensearch", "meilisearch", "solr", "minio", "localstack", "adminer"),
    *("pgadmin4", "mailhog", "mailpit", "maildev", "flower", "all-in-one", "statsd", "redis-stack"),
    *("redis-stack-server", "certbot", "watchtower", "cadvisor", "prometheus", "grafana"),
}


def same_image(image: str) -> str:
    """The image without its version."""
    if image.startswith(":"):
        found = _LABEL.fullmatch(image)
        return f":{found['service']}.{found['label']}" if found else image.rpartition(".")[0]
    address = ImageAddress.read(image)
    return f"{address.host}/{address.path}"


def service_of_label(image: str | None) -> str | None:
    """The service in a label of its image store."""
    found = _LABEL.fullmatch(image or "")
    return found["service"] if found else None


def repository_of(image: str | None) -> str | None:
    """The name of the repository of an image in ECR."""
    if image is None or RegistryAddress.of_address(image) is None:
        return None
    return ImageAddress.read(without_registry(image)).path


def tag_of(image: str | None) -> str | None:
    """The tag of an image in ECR; None if it has none of its own."""
    if image is None or RegistryAddress.of_address(image) is None:
        return None
    tag = ImageAddress.read(image).tag
    return tag if tag is not None and is_tag(tag) and not tag.startswith("lightgate-") else None


def is_database(name: str, image: str | None) -> bool:
    return _last_part(image) in _DATABASES or name in _NAMES_OF_DATABASES


def is_front(name: str, image: str | None) -> bool:
    """Whether the container stands before the app, or serves files for a browser."""
    words = set(re.split(r"[-_.:/]", f"{name}-{_last_part(image)}"))
    return bool(words & _FRONTS)


def is_public(image: str | None) -> bool:
    """Whether the image is certainly none of the app."""
    return _last_part(image) in _PUBLIC | _DATABASES


def _last_part(image: str | None) -> str:
    if image is None:
        return ""
    if (label := _LABEL.fullmatch(image)) is not None:
        return label["label"]
    return ImageAddress.read(image).path.rpartition("/")[2]


def digests_in(
    containers: Iterable[SourceContainer], web: SourceContainer | None
) -> Mapping[str, str]:
    """The images beside that of `web` that a spec takes as they are: those with a digest."""
    return {
        each.name: each.image
        for each in containers
        if each.image is not None
        and ImageAddress.read(each.image).digest is not None
        and not is_database(each.name, each.image)
        and (web is None or each.same_image != web.same_image)
    }
