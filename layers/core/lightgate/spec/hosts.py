"""Finds host names that work in Docker Compose and do not exist on Lightsail."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lightgate.patterns import pattern

# Those of what an app connects to. Behind other schemes stands a bucket, a file or a name.
_SCHEMES = (
    r"(?:https?|wss?|rediss?|valkeys?|sentinel|amqps?|pyamqp|librabbitmq|tcp|udp|tls|ssl|smtps?"
    r"|submission|ldaps?|ftp|nats|grpcs?|kafka|elasticsearch|opensearch|solr|memcached?|pymemcache"
    r"|pymemcached|pylibmc|mongodb|mysql|mysql2|mysqlgis|mariadb|postgres|postgresql|postgis"
    r"|pgsql|psql|timescale|timescalegis|mssql|mssqlms|oracle|clickhouse|cockroachdb?"
    r"|hiredis|rediscache|rabbitmq|statsd|otlp|zipkin|jaeger)"
)
_URL = pattern(
    rf"(?<![\w+.-])(?P<scheme>(?:[a-z0-9]+\+)?{_SCHEMES}(?:\+[a-z0-9_]+)?)://"
    r"(?:[^\s/?@\"']*@)?(?P<host>\[[^\]\s]*\]|[^\s/?#:,;\"'\])}]*)(?::(?P<port>[0-9]+))?",
    re.IGNORECASE,
)
_HAS_MORE = pattern(r"[^\s,;\"']*@")
_HOST_AND_PORT = pattern(
    r"(?:^|[\s,;=@])(?P<host>[a-z0-9_-]+):(?P<port>80|[0-9]{3,5})(?=$|[\s,;/])"
)
# Variables with such names hold a bare host.
_HOST_VARIABLE = pattern(
    r"(?:.*_)?(?:HOST(?:NAME)?|SERVER|ADDR(?:ESS)?|ENDPOINT|HOSTS|SERVERS)|PGHOST"
)
# They name who may call, and connect to nobody.
_CALLERS = pattern(r".*(?:ORIGIN|ALLOWED_HOST|CSRF|CORS|REFERER|COOKIE_DOMAIN).*")
_LOOPBACK = pattern(r"localhost|127[.][0-9.]+|\[::1\]|0[.]0[.]0[.]0")
# Names that Docker, Compose and Kubernetes give, and no others do.
_DOCKER_ONLY = pattern(r".+[.]docker[.]internal|.+[.]svc(?:[.]cluster[.]local)?")
_USUAL_NAMES = {
    *(
        "db",
        "database",
        "postgres",
        "postgresql",
        "postgis",
        "mysql",
        "mariadb",
        "mongo",
        "mongodb",
    ),
    *("redis", "valkey", "cache", "memcached", "rabbitmq", "rabbit", "broker", "kafka", "nats"),
    *("elasticsearch", "opensearch", "mailhog", "mailpit", "minio", "pgbouncer", "localstack"),
    *("web", "app", "api", "backend", "frontend", "worker", "celery", "django", "nginx", "proxy"),
}
# Only a container with another image can be such a server on the same node.
_NEED_A_SERVER = pattern(
    r"(?:[a-z0-9]+\+)?(?:rediss?|valkeys?|amqps?|pyamqp|memcached?|pymemcache|pylibmc|mongodb"
    r"|mysql|mysql2|mysqlgis|mariadb|postgres|postgresql|postgis|pgsql|psql)(?:\+[a-z0-9_]+)?"
)


@dataclass(frozen=True, slots=True)
class Host:
    """A host in a value. `scheme` is empty and `port` None where none is given."""

    name: str
    scheme: str = ""
    port: str | None = None

    @property
    def on_localhost(self) -> str:
        """The same without user, password and path, on the host that it has to be."""
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://localhost{port}" if self.scheme else f"localhost{port}"


def hosts_in(variable: str, value: str, containers: Collection[str]) -> Iterator[Host]:
    """Each host that is the name of a container, or that only Docker would know."""
    if _CALLERS.fullmatch(variable.upper()):
        return
    yield from hosts_in_text(value, containers)
    name = value.strip()
    is_known = name in containers or name.lower() in _USUAL_NAMES or _is_dockers(name)
    if is_known and _HOST_VARIABLE.fullmatch(variable.upper()):
        yield Host(name)


def hosts_in_text(text: str, containers: Collection[str]) -> Iterator[Host]:
    """The same for a text without a name, such as an argument of a command."""
    for found in _URL.finditer(text):
        host = found["host"]
        # With an @ behind it, this may be a part of a password.
        if _HAS_MORE.match(text, found.end()):
            continue
        if host in containers or _is_dockers(host) or _is_one_word(host):
            yield Host(host, found["scheme"], found["port"])
    for found in _HOST_AND_PORT.finditer(_URL.sub(" ", text)):
        if found["host"] in containers or found["host"] in _USUAL_NAMES:
            yield Host(found["host"], port=found["port"])


def servers_on_localhost(value: str) -> Iterator[Host]:
    """Each URL of a database, cache or queue on the node itself."""
    for found in _URL.finditer(value):
        if _LOOPBACK.fullmatch(found["host"]) and _NEED_A_SERVER.fullmatch(found["scheme"].lower()):
            yield Host(found["host"], found["scheme"], found["port"])


def _is_dockers(host: str) -> bool:
    return _DOCKER_ONLY.fullmatch(host.lower()) is not None


def _is_one_word(host: str) -> bool:
    """A name without a dot, which no name server of Lightsail knows."""
    is_word = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", host) is not None
    return is_word and host.lower() not in ("localhost", "testserver")
