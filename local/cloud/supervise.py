"""Runs one program that ends, with all its descendants, when its owner ends.

    python supervise.py USER MEMORY SIGNAL GRACE PROGRAM [ARGUMENT ...]

The owner holds the other end of standard input. When it closes, also because the owner was killed,
the program gets SIGNAL, GRACE seconds to end, and then SIGKILL. The program has a PID namespace, so
the kernel ends every descendant with it. It has an IPC namespace, so no shared memory is left. If
this process is killed, the kernel kills the program.

USER is `same`, or `nobody` for programs that refuse to run as root (PostgreSQL). A user namespace
shows the program another user id, and the files keep their owner.

MEMORY is a directory whose content is in memory and ends with the program, or `-`.

This file is run by its path with `python -I -S`, so it imports the standard library only.
"""

import ctypes
import os
import select
import signal
import sys
from pathlib import Path
from typing import NoReturn

NO_NAMESPACES = 125
NOT_STARTED = 127
_PR_SET_PDEATHSIG = 1
_NOBODY = 65534
_MS_REC_PRIVATE = 0x4000 | 1 << 18


def _isolate(user: str, memory: str) -> None:
    """Enter the namespaces. The next child is the first process of the PID namespace."""
    uid, gid = os.geteuid(), os.getegid()
    flags = os.CLONE_NEWPID | os.CLONE_NEWIPC
    if memory != "-":
        flags |= os.CLONE_NEWNS
    shown_uid, shown_gid = (_NOBODY, _NOBODY) if user == "nobody" and uid == 0 else (uid, gid)
    # Root needs no user namespace to make the others, and keeps its rights without one.
    if uid == 0 and shown_uid == 0:
        os.unshare(flags)
        return
    os.unshare(flags | os.CLONE_NEWUSER)
    # Without "deny" the kernel refuses the group map of an unprivileged process.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{shown_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{shown_gid} {gid} 1")


def _mount_memory(directory: str) -> None:
    # Without the first call the mount would show in the owner's namespace, and outlive us.
    for arguments in (
        (b"none", b"/", None, _MS_REC_PRIVATE, None),
        (b"tmpfs", os.fsencode(directory), b"tmpfs", 0, b"mode=0700"),
    ):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(*arguments) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _become(program: list[str], supervisor_is_alive: int) -> NoReturn:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The line above does not notice a supervisor that had died before: so it sends a sign of life.
    if os.read(supervisor_is_alive, 1) != b"!":
        os._exit(NOT_STARTED)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    # Python ignores these two, and an ignored signal stays ignored across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)  # noqa: S606 - a program, not a shell line
    except OSError as error:
        print(f"{program[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(NOT_STARTED)


def main(arguments: list[str]) -> int:
    """Run until the program ends or standard input closes. Returns the program's exit code."""
    user, memory, signal_name, grace, *program = arguments
    try:
        _isolate(user, memory)
        if memory != "-":
            _mount_memory(memory)
    except OSError as error:
        print(f"namespaces: {error.strerror}", file=sys.stderr)
        return NO_NAMESPACES
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writes)
        _become(program, reads)
    os.close(reads)
    os.write(writes, b"!")
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([sys.stdin.fileno(), ended], [], [])
    if ended not in ready:
        os.kill(child, signal.Signals[f"SIG{signal_name}"])
        ready, _, _ = select.select([ended], [], [], float(grace))
        if not ready:
            os.kill(child, signal.SIGKILL)
    # The first process of a PID namespace is reaped only after every other one in it is gone.
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
