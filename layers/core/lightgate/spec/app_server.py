"""The addresses on which gunicorn, uvicorn and other app servers listen, by their commands."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightgate.patterns import pattern
from lightgate.spec.programs import Program

_LOOPBACK = pattern(r"localhost|127[.]\d+[.]\d+[.]\d+|\[?::1\]?")
_EVERYWHERE = {"", "0", "0.0.0.0", "*", "::", "[::]"}  # noqa: S104 - it is what apps have to say
# They answer in place of a server that runs beside them.
_PROXIES = {"nginx", "caddy", "httpd", "apache2", "apachectl", "haproxy", "traefik", "envoy"}
_MANAGERS = {"supervisord", "honcho", "circusd", "s6-svscan", "runsvdir"}


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a server listens. `port` is None if it is unknown."""

    host: str
    port: int | None
    is_http: bool = True

    @property
    def is_loopback(self) -> bool:
        return _LOOPBACK.fullmatch(self.host) is not None

    @property
    def is_socket(self) -> bool:
        return self.host.startswith(("unix", "fd", "/"))

    def can_be_reached(self, port: int) -> bool:
        """Whether a health check of this port may get an answer. True if that is unknown."""
        if self.is_loopback or self.is_socket or not self.is_http:
            return False
        return self.port in (None, port)

    def __str__(self) -> str:
        if self.is_socket or self.port is None:
            return self.host
        return f"{self.host or '0.0.0.0'}:{self.port}"  # noqa: S104


@dataclass(frozen=True, slots=True)
class AppServer:
    """A server, where it listens, and what would make it listen on every address.

    `is_default` says that the command itself names no address. `may_have_a_file` says that then a
    configuration file in the image may name one.
    """

    name: str
    addresses: Sequence[ListenAddress]
    is_default: bool
    fix: str
    may_have_a_file: bool = False


def has_proxy_or_process_manager(found: Sequence[Program]) -> bool:
    """Whether another program answers in place of the app server, or starts it."""
    return any(program.name in _PROXIES | _MANAGERS for program in found)


def app_server(program: Program, environment: Mapping[str, str], port: int) -> AppServer | None:
    """The server that the program is; None for another program, or if only a file has its address.

    `port` is the one on which it should listen.
    """
    known = {**environment, **program.environment}
    program = program.filled_in(environment)
    match program.name.partition(".")[0]:
        case "gunicorn":
            return _gunicorn(program, known, port)
        case "uvicorn":
            sockets = program.values("--uds", "--fd")
            return _host_and_port(program, known, "UVICORN", ("127.0.0.1", "8000"), sockets, port)
        case "granian":
            sockets = program.values("--uds")
            return _host_and_port(program, known, "GRANIAN", ("127.0.0.1", "8000"), sockets, port)
        case "hypercorn":
            return _hypercorn(program, port)
        case "daphne":
            return _daphne(program, port)
        case "waitress-serve" | "waitress":
            return _waitress(program, port)
        case "uwsgi" | "pyuwsgi":
            return _uwsgi(program, known, port)
    if program.manage_command in ("runserver", "runserver_plus"):
        return _runserver(program, port)
    return None


def _gunicorn(program: Program, known: Mapping[str, str], port: int) -> AppServer | None:
    more = tuple(known.get("GUNICORN_CMD_ARGS", "").split())
    both = Program((*program.words, *more), program.environment, program.in_shell)
    bound = program.values("-b", "--bind") or both.values("-b", "--bind")
    write = f"add --bind 0.0.0.0:{port} to it"
    if bound:
        return AppServer("gunicorn", [_address(one, 8000) for one in bound], False, write)
    # Without an app in its arguments it has that from a file, which may have the address too.
    if both.has("-c", "--config", "--paste", "--paster") or not _names_an_app(program.arguments):
        return None
    if given := known.get("PORT"):
        return AppServer("gunicorn", [_address(f"0.0.0.0:{given}", 8000)], True, write)
    return AppServer(
        "gunicorn", [ListenAddress("127.0.0.1", 8000)], True, write, may_have_a_file=True
    )


def _names_an_app(arguments: Sequence[str]) -> bool:
    """Whether one of the arguments is a module. Values of options do not count."""
    before = ("", *arguments)
    return any(
        re.fullmatch(r"[A-Za-z_][\w.]*(?::.+)?", word)
        and ("." in word or ":" in word or not last.startswith("-") or "=" in last)
        for last, word in zip(before, arguments, strict=False)
    )


def _positional(program: Program) -> list[str]:
    """Arguments that may be no option; the value of an option may be among them."""
    return [word for word in program.arguments if not word.startswith("-")]


def _host_and_port(
    program: Program,
    known: Mapping[str, str],
    prefix: str,
    default: tuple[str, str],
    sockets: Sequence[str],
    port: int,
) -> AppServer:
    hosts, ports = program.values("--host"), program.values("--port")
    host = [*hosts, known.get(f"{prefix}_HOST", "")]
    number = [*ports, known.get(f"{prefix}_PORT", "")]
    address = ListenAddress(
        next(filter(None, host), default[0]), _port(next(filter(None, number), default[1]))
    )
    if sockets:
        address = ListenAddress("unix", None)
    return AppServer(
        program.name,
        [address],
        not (any(host) or sockets),
        f"add --host 0.0.0.0 --port {port} to it",
    )


def _hypercorn(program: Program, port: int) -> AppServer | None:
    bound = program.values("-b", "--bind", "--insecure-bind")
    write = f"add --bind 0.0.0.0:{port} to it"
    if not bound and program.has("-c", "--config"):
        return None
    addresses = [_address(one, 8000) for one in bound] or [ListenAddress("127.0.0.1", 8000)]
    return AppServer("hypercorn", addresses, not bound, write)


def _daphne(program: Program, port: int) -> AppServer | None:
    if program.has("-e", "--endpoint"):
        return None
    hosts = program.values("-b", "--bind")
    sockets = program.values("-u", "--unix-socket", "--fd")
    ports = program.values("-p", "--port")
    address = ListenAddress(
        hosts[-1] if hosts else "127.0.0.1", _port(ports[-1] if ports else "8000")
    )
    if sockets and not hosts and not ports:
        address = ListenAddress("unix", None)
    return AppServer("daphne", [address], not (hosts or sockets), f"add -b 0.0.0.0 -p {port} to it")


def _waitress(program: Program, port: int) -> AppServer:
    bound = [_address(one, 8080) for value in program.values("--listen") for one in value.split()]
    hosts, ports = program.values("--host"), program.values("--port")
    if program.values("--unix-socket"):
        bound.append(ListenAddress("unix", None))
    default = ListenAddress(hosts[-1] if hosts else "", _port(ports[-1] if ports else "8080"))
    return AppServer(
        "waitress-serve",
        bound or [default],
        not (bound or hosts or ports),
        f"add --listen=0.0.0.0:{port} to it",
    )


_UWSGI_FILES = ("--ini", "--xml", "--yaml", "--yml", "--json", "--emperor", "--config")


def _uwsgi(program: Program, known: Mapping[str, str], port: int) -> AppServer | None:
    options = ("--http", "--http-socket", "--http11-socket", "--https", "--https-socket")
    variables = [f"UWSGI_{option[2:].upper().replace('-', '_')}" for option in options]
    bound = program.values(*options) + [known[name] for name in variables if known.get(name)]
    if not bound and (
        program.has(*_UWSGI_FILES)
        or any(name.startswith("UWSGI_") for name in known)
        or any(re.search(r"[.](?:ini|xml|ya?ml|json)$", word) for word in _positional(program))
    ):
        return None
    sockets = program.values("-s", "--socket", "--uwsgi-socket")
    addresses = [_address(one.split(",")[0], None) for one in bound]
    # What speaks uWSGI's own protocol gives no answer to a request over HTTP.
    own = [
        ListenAddress(one.host, one.port, is_http=False)
        for one in (_address(s, None) for s in sockets)
    ]
    return AppServer("uwsgi", addresses or own, not (bound or sockets), f"add --http :{port} to it")


def _runserver(program: Program, port: int) -> AppServer:
    after = list(program.arguments[1:])
    given = None
    while after:
        word = after.pop(0)
        if word in ("--settings", "--pythonpath", "-v", "--verbosity") and after:
            del after[0]
        elif not word.startswith("-"):
            given = word
    write = f"give it the address 0.0.0.0:{port}"
    if given is None:
        return AppServer("runserver", [ListenAddress("127.0.0.1", 8000)], True, write)
    if given.isdigit():
        return AppServer("runserver", [ListenAddress("127.0.0.1", int(given))], True, write)
    return AppServer("runserver", [_address(given, 8000)], False, write)


def _address(text: str, default: int | None) -> ListenAddress:
    """`host:port`, `:port`, a host alone or a socket."""
    bare = re.sub(r"^(?:tcp|https?)://", "", text.strip())
    if bare.startswith(("unix:", "fd:", "/")):
        return ListenAddress(bare.partition(":")[0], None)
    if found := re.fullmatch(r"(\[[^\]]*\]|[^:]*):(.*)", bare):
        return ListenAddress("" if found[1] in _EVERYWHERE else found[1], _port(found[2]))
    if bare.isdigit() and bare != "0":
        return ListenAddress("", int(bare))
    return ListenAddress("" if bare in _EVERYWHERE else bare, default)


def _port(text: str) -> int | None:
    return int(text) if text.isdigit() and len(text) <= 5 else None
