"""Nodes in trouble: nothing may be written there, the disk is full, the network is gone.

All of it needs root. Where it cannot be had the tests that need it are skipped and say so.
"""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


def run(*command: str) -> None:
    """Do as root; skip the test where that is not allowed."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"{command[0]}: {error.strerror}")
    if ran.returncode:
        pytest.skip(f"{shlex.join(command)} is not allowed here: {ran.stderr.strip()}")


# Nothing may be written


def as_nobody_on_read_only_files(app: Path) -> list[str]:
    """What stands before a command so that it runs in `app`, may do little, and write nowhere."""
    run("unshare", "--mount", "setpriv", f"--reuid={NOBODY}", "--clear-groups", "true")
    script = [
        "set -e",
        *_show([app, Path(sys.base_prefix), Path(sys.prefix)]),
        # Some have another one mounted over them; the app itself looks whether it can write.
        "cut -d ' ' -f 5 /proc/self/mountinfo | while read -r mount; do",
        '    mount -o remount,bind,ro "$mount" 2> /dev/null || true',
        "done",
        f"cd {shlex.quote(str(app))}",
        f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --inh-caps=-all"
        ' --bounding-set=-all --no-new-privs "$@"',
    ]
    return ["unshare", "--mount", "sh", "-c", "\n".join(script), "sh"]


def _show(paths: list[Path]) -> Iterator[str]:
    """Open what is behind doors that only root can pass: mounted anew, behind a door of ours."""
    hidden = {path: door for path in paths if (door := _closed_door(path))}
    yield "mount -t tmpfs none /mnt"
    for number, path in enumerate(hidden):
        yield f"mkdir /mnt/{number}; mount --bind {shlex.quote(str(path))} /mnt/{number}"
    for door in set(hidden.values()):
        yield f"mount -t tmpfs -o mode=755 none {shlex.quote(str(door))}"
    for number, path in enumerate(hidden):
        place = shlex.quote(str(path))
        yield f"mkdir -p {place}; mount --bind /mnt/{number} {place}"


def _closed_door(path: Path) -> Path | None:
    """The outermost directory on the way that others cannot enter."""
    way = [*reversed(path.resolve().parents), path.resolve()]
    return next((place for place in way if not place.stat().st_mode & 0o001), None)


# The disk is full


class Disk:
    """A small file system in memory."""

    def __init__(self, directory: Path, megabytes: int) -> None:
        self.directory = directory
        self._ballast = directory / "ballast"
        directory.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", str(directory))

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))

    def free(self) -> None:
        """Make room for everything."""
        self._ballast.unlink(missing_ok=True)
        run("mount", "-o", "remount,size=256m", str(self.directory))

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self.directory], check=True)


# The network is gone


class Cable:
    """A network of a node's own, and what connects it to this machine."""

    def __init__(self) -> None:
        # The network lives as long as this process, which ends with its standard input.
        self._network = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        name = f"lg{self._network.pid}"
        # Four addresses of a range that nobody routes: it is kept for measurements.
        third, fourth = divmod(self._network.pid % 16384 * 4, 256)
        self.host, node = (f"198.18.{third}.{fourth + end}" for end in (1, 2))
        self.prefix = ["nsenter", f"--net=/proc/{self._network.pid}/ns/net"]
        try:
            assert self._network.stdout is not None
            if self._network.stdout.readline() != b"up\n":
                pytest.skip("a network of its own is not allowed here")
            peer = ["peer", "name", "cable", "netns", str(self._network.pid)]
            run("ip", "link", "add", name, "type", "veth", *peer)
            run("ip", "address", "add", f"{self.host}/30", "dev", name)
            run("ip", "link", "set", name, "up")
            run(*self.prefix, "ip", "address", "add", f"{node}/30", "dev", "cable")
            self.plug()
        except BaseException:
            self.close()
            raise

    def plug(self) -> None:
        run(*self.prefix, "ip", "link", "set", "cable", "up")

    def cut(self) -> None:
        """Nobody at either end is told."""
        run(*self.prefix, "ip", "link", "set", "cable", "down")

    def close(self) -> None:
        self._network.kill()
        self._network.communicate()
