"""The command line: ``python -m local.lightsail``."""

import argparse
import asyncio
import contextlib
import ctypes
import json
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from local.lightsail.api.server import Server
from local.lightsail.node.images import ImageStore
from local.lightsail.node.network import Network, NoNetworkError, find_network
from local.lightsail.service.logs import LogStore
from local.lightsail.service.metrics_sampler import MetricsSampler
from local.lightsail.service.region import Region
from local.lightsail.service.service_runner import Host
from local.lightsail.service.state_file import StateError, Store
from local.lightsail.switches import Switches, UnknownSwitchError, describe_switches

if TYPE_CHECKING:
    from local.lightsail.api.permissions import Permissions

_PR_SET_PDEATHSIG = 1
_CANNOT_START = 2
_ONE_NODE = """{why}.
  So nodes use this machine's network and processes. A scale above 1 is refused. A deployment ends
  the previous one first, so the public URL answers 503 until a node is healthy. "Without
  namespaces" in local/lightsail/README.md has the other differences.
  To have namespaces: run the emulator as root, or allow users to create them (with sysctl:
  user.max_net_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu,
  kernel.unprivileged_userns_clone=1 on Debian), or give its Docker container --privileged."""


class CannotStartError(Exception):
    """The emulator cannot start. The message is the reason."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=options.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s lightsail %(levelname)s %(message)s",
    )
    if options.exit_with_parent:
        _exit_with_parent()
    given = {each.name: getattr(options, each.name) for each in describe_switches()}
    try:
        switches = Switches().changed({k: v for k, v in given.items() if v is not None})
        with contextlib.ExitStack() as stack:
            state = options.state or stack.enter_context(
                tempfile.TemporaryDirectory(prefix="lightsail-", ignore_cleanup_errors=True)
            )
            asyncio.run(_serve(options, switches, Path(state).absolute()))
    except (CannotStartError, NoNetworkError, UnknownSwitchError, StateError) as problem:
        print(f"lightsail: {problem}", file=sys.stderr)
        return _CANNOT_START
    return 0


async def _serve(options: argparse.Namespace, switches: Switches, state: Path) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    listener = _listen(options.host, options.port)
    store = Store(state)
    network = await _network(options)
    logs = LogStore(_now)
    images = ImageStore(options.registry, state / "images")
    host = Host(
        clock=_now,
        images=images,
        logs=logs,
        network=network,
        base_paths=tuple(path.absolute() for path in options.base_path),
        workspace=state / "work",
        saved=store.save_soon,
    )
    region = Region(options.region, options.account, host, switches)
    try:
        await store.attach(region, logs)
        async with _permissions(options) as permissions:
            application = Server(region, permissions).application()
            runner = web.AppRunner(
                application, access_log=None, shutdown_timeout=1, auto_decompress=False
            )
            await runner.setup()
            await web.SockSite(runner, listener).start()
            sampling = asyncio.create_task(MetricsSampler(region).run())
            address, port = listener.getsockname()
            print(json.dumps({"endpoint": f"http://{address}:{port}"}), flush=True)
            await stopped.wait()
            sampling.cancel()
            await runner.cleanup()
    finally:
        store.close()
        await region.close()
        network.close()
        await images.close()


@contextlib.asynccontextmanager
async def _permissions(options: argparse.Namespace) -> AsyncIterator["Permissions | None"]:
    if options.iam is None:
        yield None
        return
    from local.lightsail.api.permissions import Permissions  # boto3: half a second, only if needed

    permissions = Permissions(options.iam, options.account)
    async with permissions.open():
        yield permissions


def _now() -> datetime:
    return datetime.now(UTC)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as problem:
        why = os.strerror(problem.errno or 0)
        raise CannotStartError(f"cannot listen on {host}:{port}: {why}") from None


async def _network(options: argparse.Namespace) -> Network:
    """Find a network for nodes, and print the limits if it is the machine's own."""
    network = await find_network(dict(options.outside), namespaces=not options.no_namespaces)
    if network.why_one_node is not None:
        print(f"lightsail: {_ONE_NODE.format(why=network.why_one_node)}", file=sys.stderr)
    return network


def _exit_with_parent() -> None:
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)


def _outside(text: str) -> tuple[int, int]:
    inside, _, host = text.partition(":")
    ports = int(inside), int(host or inside)
    if not all(1 <= port <= 65535 for port in ports):
        raise ValueError
    return ports


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a directory")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.lightsail",
        description="An emulator of AWS Lightsail container services with real processes. When it "
        'is ready it prints one line of JSON: {"endpoint": "http://127.0.0.1:PORT"}.',
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port of the API; 0 picks a free one (default)")
    add("--region", default="us-east-1", help="Region in names and ARNs (default: %(default)s)")
    add("--account", default="000000000000", help="account in ARNs (default: %(default)s)")
    add(
        "--registry",
        metavar="URL",
        help="the registry that plays ECR, e.g. http://127.0.0.1:4566",
    )
    add(
        "--iam",
        metavar="URL",
        help="the IAM (MiniStack with AUTH=true) that is asked who calls and whether they may; "
        "without it every signed request is allowed",
    )
    add(
        "--outside",
        metavar="PORT[:HOSTPORT]",
        type=_outside,
        action="append",
        default=[],
        help="a port of 127.0.0.1 of this machine that containers reach on their own 127.0.0.1",
    )
    add(
        "--base-path",
        metavar="DIR",
        type=_directory,
        action="append",
        default=[],
        help="a directory of programs that stands for an image's base layers: PATH begins with it",
    )
    add(
        "--no-namespaces",
        action="store_true",
        help="run nodes on this machine's own network, as where it allows no namespaces: one node "
        "a service, and no two deployments side by side",
    )
    add("--state", metavar="DIR", help="keep state here, and resume from it (default: forget)")
    add("--exit-with-parent", action="store_true", help="stop when the parent process ends")
    add("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    switches = parser.add_argument_group(
        "switches", "How Lightsail behaves where that is unknown or varies."
    )
    for each in describe_switches():
        switches.add_argument(
            "--" + each.name.replace("_", "-"),
            dest=each.name,
            choices=each.choices,
            metavar=None if each.choices else "N",
            help=f"{each.says} (default: {str(each.default).lower()})".replace("%", "%%"),
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
